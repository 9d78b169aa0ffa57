// What can be set, checked before anything is made of it. Each is a key of the CDK's context: in cdk.json, or `-c key=value`.

import type { Node } from 'constructs';

/** How many tasks there are of a plane, and how large they are. */
export interface PlaneSize {
  /** Thousandths of a CPU, as Fargate counts them: 1024 is one. */
  readonly cpu: number;
  /** In MiB. */
  readonly memoryMiB: number;
  readonly minTasks: number;
  readonly maxTasks: number;
}

/** Everything that can be set. */
export interface Settings {
  /** The name of the installation: what stacks and roles begin with. */
  readonly name: string;
  /** Which images: the tag under which they were pushed to the repositories of the `…-images` stack. */
  readonly imageTag: string;
  /** Under which name the gateway is reached: `claude.example.com`. */
  readonly domainName: string | undefined;
  /** The ACM certificate for that name. Without one the load balancer speaks plain HTTP, and must then be internal. */
  readonly certificateArn: string | undefined;
  /** The hosted zone that gets the name, if it is Route 53's: its id, and its name. */
  readonly hostedZone: { readonly id: string; readonly name: string } | undefined;
  /** Whether the load balancer has public addresses. */
  readonly internetFacing: boolean;
  /** From where clients may come. */
  readonly allowedCidrs: readonly string[];
  /** Fixed zones; otherwise the first two of the region. */
  readonly availabilityZones: readonly string[] | undefined;
  readonly vpcCidr: string;
  readonly natGateways: number;
  /** Whether AWS's services are reached by interface endpoints in the VPC, and not by the internet. */
  readonly privateLink: boolean;
  /** The complete ARN of the secret with `ca.crt`, `tls.crt` and `tls.key`, which `bin/plane-certificate.sh` makes. */
  readonly planeTlsSecretArn: string;
  /** A master key in KMS: `kms:REGION:CIPHERTEXT`. Without it Secrets Manager makes one and keeps it. */
  readonly masterKey: string | undefined;
  /** Roles in other accounts that endpoints assume, as ARNs. */
  readonly memberRoleArns: readonly string[];
  /** SNS topics and EventBridge buses that notifications go to, as ARNs. */
  readonly notificationTopicArns: readonly string[];
  readonly notificationBusArns: readonly string[];
  /** Who is written to when an alarm goes off. */
  readonly alarmEmail: string | undefined;
  readonly dataPlane: PlaneSize;
  /** How many open requests each data plane should have. */
  readonly inFlightPerTask: number;
  readonly controlPlane: PlaneSize;
  readonly database: {
    readonly instanceType: string;
    readonly storageGiB: number;
    readonly maxStorageGiB: number;
    readonly multiAz: boolean;
    readonly backupDays: number;
  };
  /** Collects the gateway's own metrics for alarms, the dashboard and scaling. */
  readonly collectorImage: string;
  /** What prepares volumes and the database before a plane starts: has a shell and psql. */
  readonly prepareImage: string;
}

const PLANE_KEYS = ['cpu', 'memoryMiB', 'minTasks', 'maxTasks'];
const DATABASE_KEYS = ['instanceType', 'storageGiB', 'maxStorageGiB', 'multiAz', 'backupDays'];

/** Reads them. Throws an error with the key's name for what makes no sense. */
export function settings(node: Node): Settings {
  const get = (key: string): unknown => node.tryGetContext(key) as unknown;
  const text = (key: string): string | undefined => {
    const value = get(key);
    if (value === undefined || value === '') return undefined;
    if (typeof value !== 'string') throw new Error(`${key} is not a text`);
    return value;
  };
  const needed = (key: string, what: string): string => {
    const value = text(key);
    if (value === undefined) throw new Error(`${key} is missing: ${what}`);
    return value;
  };
  const flag = (key: string, otherwise: boolean): boolean => {
    const value = get(key) ?? otherwise;
    if (value === true || value === 'true') return true;
    if (value === false || value === 'false') return false;
    throw new Error(`${key} is neither true nor false`);
  };
  const number = (key: string, value: unknown, min: number, max: number): number => {
    const found = Number(value);
    if (!Number.isInteger(found) || found < min || found > max) {
      throw new Error(`${key} is not a whole number between ${min} and ${max}`);
    }
    return found;
  };
  const list = (key: string, pattern: RegExp, what: string): string[] => {
    const value = get(key) ?? [];
    const items = typeof value === 'string' ? value.split(',').filter((item) => item !== '') : value;
    if (!Array.isArray(items)) throw new Error(`${key} is not a list`);
    for (const item of items as unknown[]) {
      if (typeof item !== 'string' || !pattern.test(item)) {
        throw new Error(`${key} has ${JSON.stringify(item)}, which is not ${what}`);
      }
    }
    return items as string[];
  };
  const group = (key: string, known: string[]): Record<string, unknown> => {
    const raw = get(key) ?? {};
    const value: unknown = typeof raw === 'string' ? JSON.parse(raw) : raw;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${key} is not an object`);
    for (const part of Object.keys(value)) {
      if (!known.includes(part)) throw new Error(`${key}.${part} is unknown: there are ${known.join(', ')}`);
    }
    return value as Record<string, unknown>;
  };
  const plane = (key: string, otherwise: PlaneSize): PlaneSize => {
    const value = group(key, PLANE_KEYS);
    const size = {
      cpu: number(`${key}.cpu`, value.cpu ?? otherwise.cpu, 256, 16_384),
      memoryMiB: number(`${key}.memoryMiB`, value.memoryMiB ?? otherwise.memoryMiB, 512, 122_880),
      minTasks: number(`${key}.minTasks`, value.minTasks ?? otherwise.minTasks, 1, 1_000),
      maxTasks: number(`${key}.maxTasks`, value.maxTasks ?? otherwise.maxTasks, 1, 1_000),
    };
    if (size.minTasks > size.maxTasks) throw new Error(`${key}.minTasks is more than ${key}.maxTasks`);
    return size;
  };

  const name = text('name') ?? 'ccag';
  if (!/^[a-z][a-z0-9-]{0,19}$/.test(name)) throw new Error('name is not up to 20 lower case letters, digits and dashes');
  const certificateArn = text('certificateArn');
  const internetFacing = flag('internetFacing', false);
  if (certificateArn === undefined && internetFacing) {
    throw new Error('certificateArn is missing: keys must not cross the internet in plain text');
  }
  const domainName = text('domainName');
  const zone = { id: text('hostedZoneId'), name: text('hostedZoneName') };
  if ((zone.id === undefined) !== (zone.name === undefined)) {
    throw new Error('hostedZoneId and hostedZoneName belong together');
  }
  if (zone.id !== undefined && domainName === undefined) throw new Error('hostedZoneId needs a domainName');
  const planeTlsSecretArn = needed('planeTlsSecretArn', 'bin/plane-certificate.sh makes the secret and prints its ARN');
  if (!/^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+-[A-Za-z0-9]{6}$/.test(planeTlsSecretArn)) {
    throw new Error('planeTlsSecretArn is not the complete ARN of a secret, with six characters at its end');
  }
  const masterKey = text('masterKey');
  if (masterKey !== undefined && !/^kms:[a-z0-9-]+:[A-Za-z0-9+/=]+$/.test(masterKey)) {
    throw new Error('masterKey is not kms:REGION:CIPHERTEXT; a key in plain text does not belong into a template');
  }
  const zones = list('availabilityZones', /^[a-z]{2}[a-z0-9-]+[0-9][a-z]$/, 'an availability zone');
  const arn = (service: string, rest: string) => new RegExp(`^arn:[a-z-]+:${service}:[a-z0-9-]*:[0-9]{12}:${rest}$`);
  const database = group('database', DATABASE_KEYS);
  const storageGiB = number('database.storageGiB', database.storageGiB ?? 100, 20, 65_536);
  const allowed = list('allowedCidrs', /^[0-9.]+\/[0-9]{1,2}$/, 'a range of IPv4 addresses');
  if (internetFacing && allowed.length === 0) {
    throw new Error('allowedCidrs is missing: say from where clients come, or 0.0.0.0/0 for everywhere');
  }
  return {
    name,
    imageTag: needed('imageTag', 'which images to run'),
    domainName,
    certificateArn,
    hostedZone: zone.id !== undefined && zone.name !== undefined ? { id: zone.id, name: zone.name } : undefined,
    internetFacing,
    allowedCidrs: allowed.length > 0 ? allowed : ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
    availabilityZones: zones.length > 0 ? zones : undefined,
    vpcCidr: text('vpcCidr') ?? '10.80.0.0/16',
    natGateways: number('natGateways', get('natGateways') ?? 2, 1, 6),
    privateLink: flag('privateLink', true),
    planeTlsSecretArn,
    masterKey,
    memberRoleArns: list('memberRoleArns', arn('iam', 'role/[A-Za-z0-9+=,.@_/-]+'), 'the ARN of a role'),
    notificationTopicArns: list('notificationTopicArns', arn('sns', '[A-Za-z0-9_.-]+'), 'the ARN of a topic'),
    notificationBusArns: list('notificationBusArns', arn('events', 'event-bus/.+'), 'the ARN of an event bus'),
    alarmEmail: text('alarmEmail'),
    dataPlane: plane('dataPlane', { cpu: 2_048, memoryMiB: 4_096, minTasks: 3, maxTasks: 30 }),
    inFlightPerTask: number('inFlightPerTask', get('inFlightPerTask') ?? 500, 1, 100_000),
    controlPlane: plane('controlPlane', { cpu: 1_024, memoryMiB: 2_048, minTasks: 2, maxTasks: 4 }),
    database: {
      instanceType: typeof database.instanceType === 'string' ? database.instanceType : 'm7g.large',
      storageGiB,
      maxStorageGiB: number('database.maxStorageGiB', database.maxStorageGiB ?? Math.max(1_000, storageGiB), storageGiB, 65_536),
      multiAz: (database.multiAz ?? true) !== false,
      backupDays: number('database.backupDays', database.backupDays ?? 14, 1, 35),
    },
    collectorImage: text('collectorImage') ?? 'public.ecr.aws/aws-observability/aws-otel-collector:v0.43.3',
    prepareImage: text('prepareImage') ?? 'public.ecr.aws/docker/library/postgres:17-alpine',
  };
}
