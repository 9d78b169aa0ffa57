// Alarms, who is told of them, and a dashboard.

import { CfnOutput, Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as rds from 'aws-cdk-lib/aws-rds';
import * as sns from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import type { Settings } from './settings';
import { COLLECTED, METRICS, type Plane } from './task';

export interface Watched {
  readonly settings: Settings;
  readonly database: rds.DatabaseInstance;
  readonly control: ecs.FargateService;
  readonly data: ecs.FargateService;
  readonly balancer: elb.ApplicationLoadBalancer;
  readonly controlGroup: elb.ApplicationTargetGroup;
  readonly dataGroup: elb.ApplicationTargetGroup;
  readonly key: kms.Key;
}

const MINUTE = Duration.minutes(1);

/** A metric of a plane's own. */
export function own<P extends Plane>(plane: P, name: (typeof COLLECTED)[P][number], statistic: string) {
  return new cloudwatch.Metric({
    namespace: METRICS,
    metricName: name,
    dimensionsMap: { plane },
    statistic,
    period: MINUTE,
  });
}

interface Rule {
  readonly metric: cloudwatch.IMetric;
  /** Beyond which it is wrong. */
  readonly over?: number;
  /** Below which it is wrong. */
  readonly under?: number;
  /** For so many minutes in a row. */
  readonly minutes: number;
  readonly says: string;
  /** That nothing is measured is wrong, too. */
  readonly missing?: boolean;
}

/** Makes them all. */
export function watch(scope: Construct, w: Watched): void {
  const topic = new sns.Topic(scope, 'Alarms', { masterKey: w.key, displayName: `${w.settings.name} alarms` });
  w.key.addToResourcePolicy(
    new iam.PolicyStatement({
      principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
      resources: ['*'],
    }),
  );
  if (w.settings.alarmEmail !== undefined) topic.addSubscription(new EmailSubscription(w.settings.alarmEmail));
  new CfnOutput(scope, 'AlarmTopic', { value: topic.topicArn });

  const database = w.database;
  const storage = w.settings.database.storageGiB * 1024 ** 3;
  const at = { period: MINUTE };
  const rules: Record<string, Rule> = {
    DataPlanesUnhealthy: {
      metric: w.dataGroup.metrics.healthyHostCount({ ...at, statistic: 'Minimum' }),
      under: Math.max(1, w.settings.dataPlane.minTasks - 1),
      minutes: 3,
      missing: true,
      says: 'Fewer data planes answer than there should be at least',
    },
    ControlPlanesUnhealthy: {
      metric: w.controlGroup.metrics.healthyHostCount({ ...at, statistic: 'Minimum' }),
      under: 1,
      minutes: 3,
      missing: true,
      says: 'No control plane answers: nobody signs in, and data planes go on with what they know',
    },
    DataPlaneErrors: {
      metric: w.dataGroup.metrics.httpCodeTarget(elb.HttpCodeTarget.TARGET_5XX_COUNT, at),
      over: 50,
      minutes: 5,
      says: 'Data planes refuse or fail requests: Bedrock throttles, or cannot be reached',
    },
    BalancerErrors: {
      metric: w.balancer.metrics.httpCodeElb(elb.HttpCodeElb.ELB_5XX_COUNT, at),
      over: 10,
      minutes: 5,
      says: 'The load balancer finds nobody to answer',
    },
    DataPlaneCpu: { metric: w.data.metricCpuUtilization(at), over: 85, minutes: 10, says: 'Scaling does not keep up' },
    DataPlaneMemory: { metric: w.data.metricMemoryUtilization(at), over: 85, minutes: 5, says: 'A data plane may be killed' },
    DataPlanesCutOff: {
      metric: own('data-plane', 'ccag_dataplane_control_connected', 'Minimum'),
      under: 1,
      minutes: 10,
      says: 'A data plane does not follow a control plane',
    },
    ConfigurationOld: {
      metric: own('data-plane', 'ccag_dataplane_configuration_age_seconds', 'Maximum'),
      over: 8_640,
      minutes: 1,
      says: 'A tenth of the time is over after which a data plane trusts its configuration no more',
    },
    SpoolGrows: {
      metric: own('data-plane', 'ccag_dataplane_spool_records', 'Maximum'),
      over: 10_000,
      minutes: 10,
      says: 'Usage is not delivered',
    },
    UsagePutAside: {
      metric: own('data-plane', 'ccag_dataplane_usage_quarantined_total', 'Maximum'),
      over: 0,
      minutes: 1,
      says: 'Usage records cannot be stored: see them in the console',
    },
    BodiesRefused: {
      metric: own('data-plane', 'ccag_dataplane_bodies_refused_total', 'Sum'),
      over: 0,
      minutes: 3,
      says: 'Requests are refused since there is no memory for their bodies',
    },
    NotificationsDead: {
      metric: own('control-plane', 'ccag_control_notifications_dead', 'Maximum'),
      over: 0,
      minutes: 1,
      says: 'Notifications were given up',
    },
    DatabaseErrors: {
      metric: own('control-plane', 'ccag_control_database_errors_total', 'Sum'),
      over: 20,
      minutes: 3,
      says: 'The control plane has trouble with its database',
    },
    DatabaseCpu: { metric: database.metricCPUUtilization(at), over: 85, minutes: 15, says: 'The database has much to do' },
    DatabaseStorage: {
      metric: database.metricFreeStorageSpace(at),
      under: storage * 0.1,
      minutes: 5,
      says: 'The disk of the database is nearly full',
    },
    DatabaseConnections: {
      metric: database.metricDatabaseConnections(at),
      over: 12 * w.settings.controlPlane.maxTasks + 20,
      minutes: 5,
      says: 'More connections than control planes would open',
    },
  };
  for (const [name, rule] of Object.entries(rules)) {
    const alarm = new cloudwatch.Alarm(scope, name, {
      alarmName: `${w.settings.name}-${name}`,
      alarmDescription: `${rule.says}. See docs/runbooks.md.`,
      metric: rule.metric,
      threshold: rule.over ?? rule.under ?? 0,
      comparisonOperator:
        rule.over === undefined
          ? cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
          : cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: rule.minutes,
      treatMissingData: rule.missing ? cloudwatch.TreatMissingData.BREACHING : cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(topic));
    alarm.addOkAction(new SnsAction(topic));
  }

  const graph = (title: string, ...left: cloudwatch.IMetric[]) => new cloudwatch.GraphWidget({ title, left, width: 12, height: 6 });
  new cloudwatch.Dashboard(scope, 'Dashboard', {
    dashboardName: w.settings.name,
    widgets: [
      [
        graph('Open requests', own('data-plane', 'ccag_dataplane_in_flight', 'Sum'), own('data-plane', 'ccag_dataplane_in_flight', 'Maximum')),
        graph('Requests', w.dataGroup.metrics.requestCount(at), w.controlGroup.metrics.requestCount(at)),
      ],
      [
        graph(
          'Errors',
          w.dataGroup.metrics.httpCodeTarget(elb.HttpCodeTarget.TARGET_5XX_COUNT, at),
          w.balancer.metrics.httpCodeElb(elb.HttpCodeElb.ELB_5XX_COUNT, at),
          own('data-plane', 'ccag_dataplane_upstream_errors_total', 'Sum'),
        ),
        graph('Usage that waits', own('data-plane', 'ccag_dataplane_spool_records', 'Maximum')),
      ],
      [
        graph('CPU', w.data.metricCpuUtilization(at), w.control.metricCpuUtilization(at), database.metricCPUUtilization(at)),
        graph('Memory', w.data.metricMemoryUtilization(at), w.control.metricMemoryUtilization(at)),
      ],
      [
        graph('Healthy', w.dataGroup.metrics.healthyHostCount(at), w.controlGroup.metrics.healthyHostCount(at)),
        graph('Database connections', database.metricDatabaseConnections(at), own('control-plane', 'ccag_control_watch_streams', 'Sum')),
      ],
    ],
  });
}
