// The gateway: both planes on Fargate behind one address, and the database.

import { Aws, CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { ScalableTarget, ServiceNamespace } from 'aws-cdk-lib/aws-applicationautoscaling';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as route53 from 'aws-cdk-lib/aws-route53';
import { LoadBalancerTarget } from 'aws-cdk-lib/aws-route53-targets';
import * as secrets from 'aws-cdk-lib/aws-secretsmanager';
import * as discovery from 'aws-cdk-lib/aws-servicediscovery';
import { Construct } from 'constructs';
import { bedrockResources, statements } from './actions';
import { DATABASE, Database, OWNER } from './database';
import { Network } from './network';
import type { RepositoriesStack } from './repositories-stack';
import type { Settings } from './settings';
import { dataPaths } from './source';
import { METRICS, PLANES_DIR, type Plane, STOP_S, task } from './task';
import { watch } from './watch';

/** After so many seconds without a byte the load balancer closes a connection. The planes keep theirs for longer. */
export const IDLE_S = 900;

/**
 * So long a task that is to be stopped goes on answering what it has begun, while nothing new comes. Amazon ECS waits for it
 * before it sends SIGTERM, and Fargate gives no more than two minutes after that: so this is where long streams end.
 */
export const DEREGISTRATION_S = 600;

/** After SIGTERM. What is left of Fargate's two minutes is for the delivery of usage records. */
const NOTICE_S = 2;
const DRAIN_S = 90;

/** The name under which data planes reach the control planes. */
export const CONTROL_HOST = (settings: Settings) => `control.${settings.name}.internal`;

export class GatewayStack extends Stack {
  readonly settings: Settings;
  private readonly network: Network;
  private readonly key: kms.Key;
  private readonly cluster: ecs.Cluster;

  constructor(scope: Construct, id: string, props: StackProps & { settings: Settings; repositories: RepositoriesStack }) {
    super(scope, id, props);
    const { settings, repositories } = props;
    this.settings = settings;
    this.network = new Network(this, 'Network', settings);
    const vpc = this.network.vpc;
    this.key = new kms.Key(this, 'Key', {
      alias: `${settings.name}`,
      description: 'The database of the gateway, its secrets, and, if wanted, its master key',
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const database = new Database(this, 'Database', { settings, vpc, key: this.key });
    this.cluster = new ecs.Cluster(this, 'Cluster', {
      vpc,
      clusterName: settings.name,
      containerInsightsV2: ecs.ContainerInsights.ENABLED,
      defaultCloudMapNamespace: { name: `${settings.name}.internal`, vpc, type: discovery.NamespaceType.DNS_PRIVATE },
    });

    const planeTls = secrets.Secret.fromSecretCompleteArn(this, 'PlaneTls', settings.planeTlsSecretArn);
    const joinToken = this.made('JoinToken', 'What data planes show to control planes', 64, hexadecimal);
    const control = this.controlPlane(repositories, database, planeTls, joinToken);
    const data = this.dataPlane(repositories, planeTls, joinToken);
    // A data plane that has never been told anything is not ready.
    const resource = (service: ecs.FargateService) => service.node.findChild('Service') as ecs.CfnService;
    resource(data.service).addResourceDependency(resource(control.service));

    control.service.connections.allowFrom(data.service, ec2.Port.tcp(8082), 'gRPC of data planes');
    database.instance.connections.allowDefaultPortFrom(control.service, 'control planes');
    const balancer = this.balancer(control.service, data.service);
    this.scaling(data.service, control.service);
    watch(this, { settings, database: database.instance, control: control.service, data: data.service, key: this.key, ...balancer });
  }

  /** A secret that Secrets Manager makes. */
  private made(id: string, description: string, passwordLength: number, form: Partial<secrets.SecretStringGenerator> = {}) {
    return new secrets.Secret(this, id, {
      description,
      encryptionKey: this.key,
      removalPolicy: RemovalPolicy.RETAIN,
      generateSecretString: { passwordLength, excludePunctuation: true, ...form },
    });
  }

  private resources(database?: Database) {
    const { settings } = this;
    return {
      databaseSecret: database ? [database.app.secretArn] : [],
      ...bedrockResources(Aws.PARTITION, Aws.ACCOUNT_ID),
      memberRoles: settings.memberRoleArns,
      masterKey: settings.masterKey === undefined ? [] : [this.key.keyArn],
      topics: settings.notificationTopicArns,
      buses: settings.notificationBusArns,
    };
  }

  private controlPlane(
    repositories: RepositoriesStack,
    database: Database,
    planeTls: secrets.ISecret,
    joinToken: secrets.ISecret,
  ) {
    const { settings } = this;
    const scope = new Construct(this, 'ControlPlane');
    const of = (secret: secrets.ISecret, field?: string) => ecs.Secret.fromSecretsManager(secret, field);
    const masterKey: Record<string, ecs.Secret> =
      settings.masterKey === undefined
        ? { CCAG_MASTER_KEY: of(this.made('MasterKey', 'What secrets in the database are sealed under', 64, hexadecimal)) }
        : {};
    const adminPassword = this.made('AdminPassword', 'Of the first administrator; used at the first start only', 24);
    const url = settings.domainName;
    const definition = task(scope, {
      settings,
      plane: 'control-plane',
      size: settings.controlPlane,
      image: ecs.ContainerImage.fromEcrRepository(repositories.controlPlane, settings.imageTag),
      opsPort: 9091,
      key: this.key,
      volumes: { tmp: '/tmp' },
      ports: [8081, 8082],
      environment: {
        AWS_REGION: Aws.REGION,
        CCAG_HTTP_LISTEN: '0.0.0.0:8081',
        CCAG_GRPC_LISTEN: '0.0.0.0:8082',
        CCAG_OPS_LISTEN: '0.0.0.0:9091',
        CCAG_GRPC_TLS_CERT: `${PLANES_DIR}/tls.crt`,
        CCAG_GRPC_TLS_KEY: `${PLANES_DIR}/tls.key`,
        CCAG_TRUSTED_PROXIES: settings.vpcCidr,
        CCAG_DRAIN_S: String(DRAIN_S),
        DATABASE_HOST: database.instance.dbInstanceEndpointAddress,
        DATABASE_PORT: database.instance.dbInstanceEndpointPort,
        DATABASE_NAME: DATABASE,
        // The user and the password are read there, every minute.
        DATABASE_SECRET_ARN: database.app.secretArn,
        // Whichever of the two users it is that connects, what it makes belongs to the owner.
        PGOPTIONS: `-c role=${OWNER}`,
        PGSSLMODE: 'require',
        ...(url !== undefined && {
          CCAG_PUBLIC_URL: `${settings.certificateArn === undefined ? 'http' : 'https'}://${url}`,
        }),
        ...(settings.masterKey !== undefined && { CCAG_MASTER_KEY: settings.masterKey }),
      },
      secrets: {
        ...masterKey,
        CCAG_JOIN_TOKEN: of(joinToken),
        ADMIN_PASSWORD: of(adminPassword),
      },
      prepare: {
        environment: { PGDATABASE: DATABASE, PGSSLMODE: 'require', APP_OWNER: OWNER },
        secrets: {
          TLS_CERT: of(planeTls, 'tls.crt'),
          TLS_KEY: of(planeTls, 'tls.key'),
          PGHOST: of(database.master, 'host'),
          PGPORT: of(database.master, 'port'),
          PGUSER: of(database.master, 'username'),
          PGPASSWORD: of(database.master, 'password'),
          APP_USER: of(database.app, 'username'),
          APP_PASSWORD: of(database.app, 'password'),
        },
      },
      policy: [
        ...statements('control', this.resources(database)),
        // Secrets Manager opens the secret in the reader's name.
        new iam.PolicyStatement({
          sid: 'DatabaseSecretKey',
          actions: ['kms:Decrypt'],
          resources: [this.key.keyArn],
          conditions: { StringEquals: { 'kms:ViaService': `secretsmanager.${Aws.REGION}.${Aws.URL_SUFFIX}` } },
        }),
      ],
    });
    const service = this.service(scope, definition, 'control-plane', settings.controlPlane.minTasks);
    service.enableCloudMap({ name: 'control', dnsTtl: Duration.seconds(10), container: definition.defaultContainer! });
    new CfnOutput(this, 'AdminPasswordSecret', { value: adminPassword.secretName });
    return { service };
  }

  private dataPlane(repositories: RepositoriesStack, planeTls: secrets.ISecret, joinToken: secrets.ISecret) {
    const { settings } = this;
    const scope = new Construct(this, 'DataPlane');
    const definition = task(scope, {
      settings,
      plane: 'data-plane',
      size: settings.dataPlane,
      image: ecs.ContainerImage.fromEcrRepository(repositories.dataPlane, settings.imageTag),
      opsPort: 9090,
      key: this.key,
      volumes: { data: '/data', tmp: '/tmp' },
      ports: [8080],
      environment: {
        AWS_REGION: Aws.REGION,
        CCAG_HTTP_LISTEN: '0.0.0.0:8080',
        CCAG_OPS_LISTEN: '0.0.0.0:9090',
        CCAG_DATA_DIR: '/data',
        CCAG_CONTROL_PLANE: `https://${CONTROL_HOST(settings)}:8082`,
        CCAG_GRPC_CA: `${PLANES_DIR}/ca.crt`,
        CCAG_DRAIN_NOTICE_S: String(NOTICE_S),
        CCAG_DRAIN_S: String(DRAIN_S),
      },
      secrets: { CCAG_JOIN_TOKEN: ecs.Secret.fromSecretsManager(joinToken) },
      prepare: { environment: {}, secrets: { TLS_CA: ecs.Secret.fromSecretsManager(planeTls, 'ca.crt') } },
      policy: statements('data', this.resources()),
    });
    return { service: this.service(scope, definition, 'data-plane', settings.dataPlane.minTasks) };
  }

  private service(scope: Construct, taskDefinition: ecs.FargateTaskDefinition, name: Plane, desiredCount: number) {
    if (NOTICE_S + DRAIN_S + 10 > STOP_S) throw new Error('a task would be killed while it drains');
    return new ecs.FargateService(scope, 'Service', {
      cluster: this.cluster,
      serviceName: name,
      taskDefinition,
      desiredCount,
      assignPublicIp: false,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      healthCheckGracePeriod: Duration.minutes(3),
      enableExecuteCommand: false,
      propagateTags: ecs.PropagatedTagSource.SERVICE,
      availabilityZoneRebalancing: ecs.AvailabilityZoneRebalancing.ENABLED,
    });
  }

  private balancer(control: ecs.FargateService, data: ecs.FargateService) {
    const { settings } = this;
    const vpc = this.network.vpc;
    const balancer = new elb.ApplicationLoadBalancer(this, 'Balancer', {
      vpc,
      internetFacing: settings.internetFacing,
      vpcSubnets: {
        subnetType: settings.internetFacing ? ec2.SubnetType.PUBLIC : ec2.SubnetType.PRIVATE_WITH_EGRESS,
      },
      idleTimeout: Duration.seconds(IDLE_S),
      deletionProtection: true,
      dropInvalidHeaderFields: true,
      desyncMitigationMode: elb.DesyncMitigationMode.DEFENSIVE,
    });
    const group = (id: string, service: ecs.FargateService, plane: Plane, port: number, opsPort: number, seconds: number) =>
      new elb.ApplicationTargetGroup(this, id, {
        vpc,
        port,
        protocol: elb.ApplicationProtocol.HTTP,
        targets: [service.loadBalancerTarget({ containerName: plane, containerPort: port })],
        deregistrationDelay: Duration.seconds(seconds),
        // Requests last from a second to many minutes: what counts is who has few of them.
        loadBalancingAlgorithmType: elb.TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
        healthCheck: {
          path: '/readyz',
          port: String(opsPort),
          healthyHttpCodes: '200',
          interval: Duration.seconds(10),
          timeout: Duration.seconds(5),
          healthyThresholdCount: 2,
          unhealthyThresholdCount: 3,
        },
      });
    const controlGroup = group('ControlTargets', control, 'control-plane', 8081, 9091, 60);
    const dataGroup = group('DataTargets', data, 'data-plane', 8080, 9090, DEREGISTRATION_S);
    for (const [service, opsPort] of [[control, 9091], [data, 9090]] as const) {
      service.connections.allowFrom(balancer, ec2.Port.tcp(opsPort), 'health checks');
    }

    const tls = settings.certificateArn;
    const listener = balancer.addListener('Listener', {
      ...(tls === undefined
        ? { port: 80, protocol: elb.ApplicationProtocol.HTTP }
        : {
            port: 443,
            protocol: elb.ApplicationProtocol.HTTPS,
            certificates: [acm.Certificate.fromCertificateArn(this, 'Certificate', tls)],
            sslPolicy: elb.SslPolicy.TLS13_RES,
          }),
      open: false,
      defaultTargetGroups: [controlGroup],
    });
    listener.addTargetGroups('Inference', {
      priority: 10,
      conditions: [elb.ListenerCondition.pathPatterns(patterns())],
      targetGroups: [dataGroup],
    });
    const ports = [tls === undefined ? 80 : 443];
    if (tls !== undefined) {
      balancer.addRedirect({ open: false });
      ports.push(80);
    }
    for (const cidr of settings.allowedCidrs) {
      for (const port of ports) balancer.connections.allowFrom(ec2.Peer.ipv4(cidr), ec2.Port.tcp(port), 'clients');
    }
    if (settings.hostedZone && settings.domainName !== undefined) {
      new route53.ARecord(this, 'Name', {
        zone: route53.HostedZone.fromHostedZoneAttributes(this, 'Zone', {
          hostedZoneId: settings.hostedZone.id,
          zoneName: settings.hostedZone.name,
        }),
        recordName: `${settings.domainName}.`,
        target: route53.RecordTarget.fromAlias(new LoadBalancerTarget(balancer)),
      });
    }
    new CfnOutput(this, 'BalancerName', { value: balancer.loadBalancerDnsName });
    return { balancer, controlGroup, dataGroup };
  }

  /** Data planes by CPU and by how many requests are open, whichever asks for more; control planes by CPU. */
  private scaling(data: ecs.FargateService, control: ecs.FargateService) {
    const { settings } = this;
    const target = (service: ecs.FargateService, plane: 'dataPlane' | 'controlPlane') =>
      new ScalableTarget(service, 'Tasks', {
        serviceNamespace: ServiceNamespace.ECS,
        resourceId: `service/${this.cluster.clusterName}/${service.serviceName}`,
        scalableDimension: 'ecs:service:DesiredCount',
        minCapacity: settings[plane].minTasks,
        maxCapacity: settings[plane].maxTasks,
      });
    const cpu = (service: ecs.FargateService) => service.metricCpuUtilization({ period: Duration.minutes(1) });
    // Streams last for minutes: tasks come quickly and go slowly.
    const pace = { scaleOutCooldown: Duration.seconds(60), scaleInCooldown: Duration.minutes(10) };
    const tasks = target(data, 'dataPlane');
    tasks.scaleToTrackMetric('Cpu', { customMetric: cpu(data), targetValue: 60, ...pace });
    tasks.scaleToTrackMetric('InFlight', {
      customMetric: new cloudwatch.Metric({
        namespace: METRICS,
        metricName: 'ccag_dataplane_in_flight',
        dimensionsMap: { plane: 'data-plane' },
        statistic: 'Average',
        period: Duration.minutes(1),
      }),
      targetValue: settings.inFlightPerTask,
      ...pace,
    });
    target(control, 'controlPlane').scaleToTrackMetric('Cpu', { customMetric: cpu(control), targetValue: 70, ...pace });
  }
}

/** The data planes' paths in a load balancer's words: of those that have others below them, both. A rule takes five. */
export function patterns(): string[] {
  const found = dataPaths().flatMap((path) => (path.lastIndexOf('/') === 0 ? [path, `${path}/*`] : [path]));
  if (found.length > 5) throw new Error('a rule of the load balancer takes five paths: make two of it');
  return found;
}

/** 64 of them are 256 bits. */
const hexadecimal: Partial<secrets.SecretStringGenerator> = {
  excludeUppercase: true,
  excludeCharacters: 'ghijklmnopqrstuvwxyz',
  requireEachIncludedType: false,
};
