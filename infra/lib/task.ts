// What the tasks of both planes have in common.

import { Duration } from 'aws-cdk-lib';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PlaneSize, Settings } from './settings';

/** The namespace of the gateway's own metrics in CloudWatch. */
export const METRICS = 'CCAG';

/** Fargate waits no longer than this between SIGTERM and SIGKILL (Amazon ECS developer guide, `stopTimeout`). */
export const STOP_S = 120;

/** Which of a plane's metrics are collected: for alarms, the dashboard and scaling. The others stay on the ops port. */
export const COLLECTED = {
  'data-plane': [
    'ccag_dataplane_in_flight',
    'ccag_dataplane_spool_records',
    'ccag_dataplane_usage_quarantined_total',
    'ccag_dataplane_control_connected',
    'ccag_dataplane_configuration_age_seconds',
    'ccag_dataplane_bodies_refused_total',
    'ccag_dataplane_upstream_errors_total',
  ],
  'control-plane': [
    'ccag_control_watch_streams',
    'ccag_control_database_errors_total',
    'ccag_control_notifications_dead',
  ],
} as const;

export type Plane = keyof typeof COLLECTED;

export interface TaskProps {
  readonly settings: Settings;
  readonly plane: Plane;
  readonly size: PlaneSize;
  readonly image: ecs.ContainerImage;
  readonly opsPort: number;
  readonly key: kms.IKey;
  /** Volumes, by where the plane finds them; they are the plane's own. */
  readonly volumes: Record<string, string>;
  readonly environment: Record<string, string>;
  readonly secrets: Record<string, ecs.Secret>;
  readonly ports: number[];
  /** What is prepared beside the volumes. */
  readonly prepare: { environment: Record<string, string>; secrets: Record<string, ecs.Secret> };
  readonly policy: iam.PolicyStatement[];
}

/** Where the files of the way between the planes are. */
export const PLANES_DIR = '/run/ccag';

/** A task definition with three containers: one that prepares and ends, the plane, and a collector of its metrics. */
export function task(scope: Construct, props: TaskProps): ecs.FargateTaskDefinition {
  const { settings, plane } = props;
  const role = new iam.Role(scope, 'TaskRole', {
    // Member accounts know the planes by these names.
    roleName: `${settings.name}-${plane}`,
    assumedBy: new iam.ServicePrincipal('ecs-tasks.amazonaws.com'),
  });
  for (const statement of props.policy) role.addToPolicy(statement);

  const definition = new ecs.FargateTaskDefinition(scope, 'Task', {
    family: `${settings.name}-${plane}`,
    cpu: props.size.cpu,
    memoryLimitMiB: props.size.memoryMiB,
    runtimePlatform: {
      cpuArchitecture: ecs.CpuArchitecture.ARM64,
      operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
    },
    taskRole: role,
  });
  const volumes: Record<string, string> = { ...props.volumes, planes: PLANES_DIR };
  for (const name of Object.keys(volumes)) definition.addVolume({ name });

  const log = new logs.LogGroup(scope, 'Logs', {
    logGroupName: `/${settings.name}/${plane}`,
    retention: logs.RetentionDays.THREE_MONTHS,
  });
  const logging = (prefix: string) => ecs.LogDriver.awsLogs({ logGroup: log, streamPrefix: prefix, mode: ecs.AwsLogDriverMode.NON_BLOCKING });

  const prepare = definition.addContainer('prepare', {
    image: ecs.ContainerImage.fromRegistry(settings.prepareImage),
    essential: false,
    entryPoint: ['/bin/sh', '-c'],
    command: [readFileSync(join(__dirname, '..', 'assets', 'prepare.sh'), 'utf8')],
    environment: { ...props.prepare.environment, PLANES_DIR, VOLUMES: Object.values(volumes).join(' ') },
    secrets: props.prepare.secrets,
    logging: logging('prepare'),
  });
  const main = definition.addContainer(plane, {
    image: props.image,
    essential: true,
    user: '65532:65532',
    readonlyRootFilesystem: true,
    environment: { ...props.environment, LOG_FORMAT: 'json' },
    secrets: props.secrets,
    portMappings: [...props.ports, props.opsPort].map((containerPort) => ({ containerPort })),
    stopTimeout: Duration.seconds(STOP_S),
    logging: logging(plane),
  });
  // A connection of a client is a file, and so is one to Bedrock.
  main.addUlimits({ name: ecs.UlimitName.NOFILE, softLimit: 65_536, hardLimit: 65_536 });
  main.addContainerDependencies({ container: prepare, condition: ecs.ContainerDependencyCondition.SUCCESS });
  for (const [name, path] of Object.entries(volumes)) {
    prepare.addMountPoints({ sourceVolume: name, containerPath: path, readOnly: false });
    main.addMountPoints({ sourceVolume: name, containerPath: path, readOnly: name === 'planes' });
  }

  definition.addContainer('collector', {
    image: ecs.ContainerImage.fromRegistry(settings.collectorImage),
    // Without it there are no metrics, but there is a gateway.
    essential: false,
    environment: { AOT_CONFIG_CONTENT: JSON.stringify(collector(settings, plane, props.opsPort)) },
    memoryReservationMiB: 64,
    logging: logging('collector'),
  });
  role.addToPolicy(
    new iam.PolicyStatement({
      sid: 'Collector',
      actions: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
      resources: [log.logGroupArn, `${log.logGroupArn}:*`],
    }),
  );
  props.key.grantDecrypt(definition.obtainExecutionRole());
  return definition;
}

/** The collector's configuration: JSON is YAML as well. */
function collector(settings: Settings, plane: Plane, opsPort: number): unknown {
  return {
    receivers: {
      prometheus: {
        config: {
          scrape_configs: [
            {
              job_name: plane,
              scrape_interval: '30s',
              static_configs: [{ targets: [`127.0.0.1:${opsPort}`], labels: { plane } }],
              metric_relabel_configs: [
                { source_labels: ['__name__'], regex: COLLECTED[plane].join('|'), action: 'keep' },
              ],
            },
          ],
        },
      },
    },
    processors: { batch: { timeout: '30s' } },
    exporters: {
      awsemf: {
        namespace: METRICS,
        log_group_name: `/${settings.name}/${plane}`,
        log_stream_name: 'metrics',
        dimension_rollup_option: 'NoDimensionRollup',
        metric_declarations: [{ dimensions: [['plane']], metric_name_selectors: COLLECTED[plane].map((name) => `^${name}$`) }],
      },
    },
    service: { pipelines: { metrics: { receivers: ['prometheus'], processors: ['batch'], exporters: ['awsemf'] } } },
  };
}
