// PostgreSQL, and the secrets that open it.

import { CfnOutput, Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as rds from 'aws-cdk-lib/aws-rds';
import type * as secrets from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { Settings } from './settings';

/** Owns everything in the database: whoever connects acts as this role (`PGOPTIONS`). */
export const OWNER = 'ccag';
/** The database's name. */
export const DATABASE = 'ccag';
/**
 * After so many days the password that the control planes use is replaced. Two users take turns: the one before stays good
 * until the next time, and control planes read within a minute which one it is.
 */
export const ROTATION_DAYS = 30;

export class Database extends Construct {
  readonly instance: rds.DatabaseInstance;
  /** Opens the database as its administrator: only while a control plane is prepared. */
  readonly master: secrets.ISecret;
  /** Opens it for the control planes. */
  readonly app: secrets.ISecret;

  constructor(scope: Construct, id: string, props: { settings: Settings; vpc: ec2.Vpc; key: kms.IKey }) {
    super(scope, id);
    const { settings, vpc, key } = props;
    const engine = rds.DatabaseInstanceEngine.postgres({ version: rds.PostgresEngineVersion.VER_17_9 });
    this.instance = new rds.DatabaseInstance(this, 'Instance', {
      engine,
      vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
      instanceType: new ec2.InstanceType(settings.database.instanceType),
      databaseName: DATABASE,
      credentials: rds.Credentials.fromGeneratedSecret('ccag_admin', { encryptionKey: key }),
      allocatedStorage: settings.database.storageGiB,
      maxAllocatedStorage: settings.database.maxStorageGiB,
      storageType: rds.StorageType.GP3,
      storageEncrypted: true,
      storageEncryptionKey: key,
      multiAz: settings.database.multiAz,
      backupRetention: Duration.days(settings.database.backupDays),
      copyTagsToSnapshot: true,
      deletionProtection: true,
      removalPolicy: RemovalPolicy.SNAPSHOT,
      autoMinorVersionUpgrade: true,
      enablePerformanceInsights: true,
      performanceInsightEncryptionKey: key,
      cloudwatchLogsExports: ['postgresql', 'upgrade'],
      cloudwatchLogsRetention: logs.RetentionDays.ONE_MONTH,
      parameterGroup: new rds.ParameterGroup(this, 'Parameters', {
        engine,
        parameters: {
          // Nobody connects without TLS.
          'rds.force_ssl': '1',
          log_min_duration_statement: '2000',
          // A control plane that is gone holds no transaction open.
          idle_in_transaction_session_timeout: '60000',
        },
      }),
    });
    if (!this.instance.secret) throw new Error('the instance has no secret of its own');
    this.master = this.instance.secret;

    const app = new rds.DatabaseSecret(this, 'App', { username: OWNER, masterSecret: this.master, encryptionKey: key });
    this.app = app.attach(this.instance);
    this.instance.addRotationMultiUser('AppRotation', {
      secret: this.app,
      automaticallyAfter: Duration.days(ROTATION_DAYS),
      // The first user is made when the first control plane starts.
      rotateImmediatelyOnUpdate: false,
    });
    // Only used while a control plane is prepared, so one user is enough: tasks read it anew whenever they start.
    this.instance.addRotationSingleUser({ automaticallyAfter: Duration.days(ROTATION_DAYS), rotateImmediatelyOnUpdate: false });

    new CfnOutput(this, 'Address', { value: this.instance.dbInstanceEndpointAddress });
  }
}
