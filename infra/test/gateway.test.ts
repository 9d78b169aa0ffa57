// The template holds what is said of it in docs/aws.md.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { patterns } from '../lib/gateway-stack';
import { dataPaths, defaultOf, read } from '../lib/source';
import { COLLECTED, STOP_S } from '../lib/task';
import { all, container, gateway, one, variables } from './support';

const template = gateway();

describe('the load balancer', () => {
  it('sends inference to data planes and everything else to control planes', () => {
    const rule = one(template, 'AWS::ElasticLoadBalancingV2::ListenerRule');
    assert.deepEqual(rule.Conditions, [{ Field: 'path-pattern', PathPatternConfig: { Values: patterns() } }]);
    assert.match(rule.Actions[0].TargetGroupArn.Ref, /^DataTargets/);
    const listener = Object.values(all(template, 'AWS::ElasticLoadBalancingV2::Listener')).find((l) => l.Properties.Port === 443);
    assert.match(listener.Properties.DefaultActions[0].TargetGroupArn.Ref, /^ControlTargets/);
  });

  it('splits as the other balancers of this repository do', () => {
    // nginx says `/v1/` where the chart says `/v1`: nobody asks for that path itself.
    const nginx = [...read('deploy/compose/nginx.conf').matchAll(/location (?:= )?(\/\S+) \{ proxy_pass http:\/\/data_planes/g)];
    assert.deepEqual(nginx.map((m) => m[1]!.replace(/\/$/, '')).sort(), dataPaths().sort());
    assert.deepEqual(patterns().sort(), ['/api/hello', '/api/oauth/usage', '/v1', '/v1/*']);
  });

  it('lets a stream be silent for longer than any is, and closes connections before the planes do', () => {
    const attributes = one(template, 'AWS::ElasticLoadBalancingV2::LoadBalancer').LoadBalancerAttributes;
    const idle = Number(attributes.find((a: { Key: string }) => a.Key === 'idle_timeout.timeout_seconds').Value);
    const planes = Number(/\[connections\][\s\S]*?^idle_s = ([0-9]+)$/m.exec(read('dataplane/default.toml'))?.[1] ?? NaN);
    assert.ok(idle < planes, `${idle} < ${planes}`);
    assert.ok(idle > 60 * defaultOf('dataplane', 'ping_s'));
  });

  it('asks the ops ports, which no listener leads to, whether planes are ready', () => {
    const groups = Object.entries(all(template, 'AWS::ElasticLoadBalancingV2::TargetGroup'));
    const seen = groups.map(([id, g]) => [id.slice(0, 7), g.Properties.HealthCheckPath, g.Properties.HealthCheckPort, g.Properties.Port]);
    assert.deepEqual(seen.sort(), [
      ['Control', '/readyz', '9091', 8081],
      ['DataTar', '/readyz', '9090', 8080],
    ]);
  });

  it('waits for streams before a task is stopped, and a task ends within the time that Fargate gives', () => {
    const groups = Object.entries(all(template, 'AWS::ElasticLoadBalancingV2::TargetGroup'));
    const delay = groups.find(([id]) => id.startsWith('DataTargets'))![1].Properties.TargetGroupAttributes.find(
      (a: { Key: string }) => a.Key === 'deregistration_delay.timeout_seconds',
    );
    assert.ok(Number(delay.Value) >= defaultOf('dataplane', 'drain_s'));
    const data = container(template, 'DataPlane', 'data-plane');
    const { plain } = variables(data);
    assert.equal(data.StopTimeout, STOP_S);
    // What is left is for usage records: docs/resilience.md asks for ten seconds.
    assert.ok(Number(plain.CCAG_DRAIN_NOTICE_S) + Number(plain.CCAG_DRAIN_S) + 10 <= STOP_S);
  });

  it('speaks TLS, and sends who does not to it', () => {
    const listeners = Object.values(all(template, 'AWS::ElasticLoadBalancingV2::Listener')).map((l) => l.Properties);
    assert.deepEqual(listeners.map((l) => [l.Port, l.Protocol]).sort(), [[443, 'HTTPS'], [80, 'HTTP']]);
    assert.equal(listeners.find((l) => l.Port === 80).DefaultActions[0].Type, 'redirect');
    assert.match(listeners.find((l) => l.Port === 443).SslPolicy, /TLS13/);
  });

  it('is reached from private networks only, unless somebody says otherwise', () => {
    const cidrs = (t: typeof template) =>
      one(t, 'AWS::EC2::SecurityGroup', 'BalancerSecurityGroup').SecurityGroupIngress.map((i: { CidrIp: string }) => i.CidrIp);
    assert.ok(!cidrs(template).includes('0.0.0.0/0'));
    assert.equal(one(template, 'AWS::ElasticLoadBalancingV2::LoadBalancer').Scheme, 'internal');
    const open = gateway({ internetFacing: 'true', allowedCidrs: '203.0.113.0/24' });
    assert.deepEqual([...new Set(cidrs(open))], ['203.0.113.0/24']);
    assert.equal(one(open, 'AWS::ElasticLoadBalancingV2::LoadBalancer').Scheme, 'internet-facing');
  });
});

describe('tasks', () => {
  it('run on ARM64, as nobody, with a read-only root, and without public addresses', () => {
    for (const [plane, name] of [['ControlPlane', 'control-plane'], ['DataPlane', 'data-plane']] as const) {
      const definition = one(template, 'AWS::ECS::TaskDefinition', plane);
      assert.deepEqual(definition.RuntimePlatform, { CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' });
      const main = container(template, plane, name);
      assert.equal(main.User, '65532:65532');
      assert.equal(main.ReadonlyRootFilesystem, true);
      assert.equal(one(template, 'AWS::ECS::Service', plane).NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp, 'DISABLED');
    }
  });

  it('start only when their volumes and certificates are prepared', () => {
    for (const [plane, name] of [['ControlPlane', 'control-plane'], ['DataPlane', 'data-plane']] as const) {
      const main = container(template, plane, name);
      assert.deepEqual(main.DependsOn, [{ Condition: 'SUCCESS', ContainerName: 'prepare' }]);
      const prepare = container(template, plane, 'prepare');
      assert.equal(prepare.Essential, false);
      const paths = (c: { MountPoints: { ContainerPath: string }[] }) => c.MountPoints.map((m) => m.ContainerPath).sort();
      assert.deepEqual(paths(prepare), paths(main));
      assert.deepEqual(variables(prepare).plain.VOLUMES!.toString().split(' ').sort(), paths(main));
    }
  });

  it('are told nothing that the planes do not know', () => {
    const documents = read('docs/configuration.md');
    const postgres = ['PGOPTIONS', 'PGSSLMODE'];
    for (const [plane, name] of [['ControlPlane', 'control-plane'], ['DataPlane', 'data-plane']] as const) {
      const { plain, secret } = variables(container(template, plane, name));
      for (const variable of [...Object.keys(plain), ...Object.keys(secret)]) {
        assert.ok(documents.includes(`\`${variable}\``) || postgres.includes(variable), variable);
      }
    }
  });

  it('have their secrets from Secrets Manager, and the template holds none', () => {
    const { plain, secret } = variables(container(template, 'ControlPlane', 'control-plane'));
    for (const name of ['CCAG_MASTER_KEY', 'CCAG_JOIN_TOKEN', 'ADMIN_PASSWORD']) {
      assert.ok(secret[name], name);
      assert.ok(!(name in plain), name);
    }
    assert.ok(variables(container(template, 'DataPlane', 'data-plane')).secret.CCAG_JOIN_TOKEN);
  });

  it('a data plane knows nothing of the database and of the master key', () => {
    const definition = JSON.stringify(one(template, 'AWS::ECS::TaskDefinition', 'DataPlane'));
    assert.doesNotMatch(definition, /Database|MASTER_KEY|AdminPassword/);
  });

  it('a master key that Secrets Manager makes is 64 hexadecimal digits', () => {
    const { GenerateSecretString: g } = one(template, 'AWS::SecretsManager::Secret', 'MasterKey');
    assert.equal(g.PasswordLength, 64);
    assert.ok(g.ExcludeUppercase && g.ExcludePunctuation && !g.RequireEachIncludedType);
    const letters = [...'abcdefghijklmnopqrstuvwxyz'].filter((c) => !g.ExcludeCharacters.includes(c)).join('');
    assert.equal(letters, 'abcdef');
  });

  it('a master key of KMS stands in the environment, and nothing else is made', () => {
    const kms = gateway({ masterKey: 'kms:eu-central-1:AQIDAHh=' });
    const { plain, secret } = variables(container(kms, 'ControlPlane', 'control-plane'));
    assert.equal(plain.CCAG_MASTER_KEY, 'kms:eu-central-1:AQIDAHh=');
    assert.ok(!('CCAG_MASTER_KEY' in secret));
    assert.ok(!Object.keys(all(kms, 'AWS::SecretsManager::Secret')).some((id) => id.startsWith('MasterKey')));
  });

  it('data planes find control planes under the name of their certificate', () => {
    const { plain } = variables(container(template, 'DataPlane', 'data-plane'));
    assert.equal(plain.CCAG_CONTROL_PLANE, 'https://control.ccag.internal:8082');
    assert.match(read('infra/bin/plane-certificate.sh'), /host="control\.\$name\.internal"/);
    assert.equal(one(template, 'AWS::ServiceDiscovery::Service').Name, 'control');
  });
});

describe('the database', () => {
  const database = one(template, 'AWS::RDS::DBInstance');

  it('is encrypted, in two zones, backed up, protected, and reached by TLS only', () => {
    assert.equal(database.StorageEncrypted, true);
    assert.equal(database.MultiAZ, true);
    assert.equal(database.DeletionProtection, true);
    assert.equal(database.PubliclyAccessible, false);
    assert.ok(database.BackupRetentionPeriod >= 7);
    assert.equal(one(template, 'AWS::RDS::DBParameterGroup').Parameters['rds.force_ssl'], '1');
    const { plain } = variables(container(template, 'ControlPlane', 'control-plane'));
    assert.equal(plain.PGSSLMODE, 'require');
  });

  it('two users take turns, so that a replaced password stays good for whoever has it', () => {
    const kinds = JSON.stringify([all(template, 'AWS::Serverless::Application'), template.toJSON().Mappings]);
    assert.match(kinds, /SecretsManagerRDSPostgreSQLRotationMultiUser/);
    const schedules = Object.entries(all(template, 'AWS::SecretsManager::RotationSchedule'));
    assert.equal(schedules.length, 2);
    for (const [, s] of schedules) assert.equal(s.Properties.RotateImmediatelyOnUpdate, false);
    const { plain, secret } = variables(container(template, 'ControlPlane', 'control-plane'));
    assert.equal(plain.PGOPTIONS, '-c role=ccag');
    // The user takes turns with its twin: it is read from the secret, as its password is, while the plane runs.
    assert.ok(plain.DATABASE_SECRET_ARN);
    assert.ok(!('DB_PASSWORD' in secret) && !('DATABASE_USER' in secret) && !('DATABASE_USER' in plain));
  });

  it('is opened as its administrator by what prepares it, and by nothing else', () => {
    const master = (c: unknown) => JSON.stringify(c).includes('DatabaseInstanceSecretAttachment');
    assert.ok(master(container(template, 'ControlPlane', 'prepare')));
    assert.ok(!master(container(template, 'ControlPlane', 'control-plane')));
  });
});

describe('scaling and alarms', () => {
  it('data planes are scaled by CPU and by open requests', () => {
    const policies = Object.entries(all(template, 'AWS::ApplicationAutoScaling::ScalingPolicy'))
      .filter(([id]) => id.startsWith('DataPlane'))
      .map(([, p]) => p.Properties.TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.MetricName)
      .sort();
    assert.deepEqual(policies, ['CPUUtilization', 'ccag_dataplane_in_flight']);
  });

  it('what is collected are metrics that the planes have', () => {
    // A test of the planes holds this page against what they expose.
    const exposed = [...read('docs/metrics.md').matchAll(/^\| `(ccag_[a-z_]+)` \|/gm)].map((m) => m[1]!);
    for (const name of [...COLLECTED['data-plane'], ...COLLECTED['control-plane']]) assert.ok(exposed.includes(name), name);
  });

  it('alarms look at what is collected, and say where to read on', () => {
    const collected: string[] = [...COLLECTED['data-plane'], ...COLLECTED['control-plane']];
    const alarms = Object.values(all(template, 'AWS::CloudWatch::Alarm')).map((a) => a.Properties);
    assert.ok(alarms.length >= 15);
    for (const alarm of alarms) {
      assert.match(alarm.AlarmDescription, /docs\/runbooks\.md/);
      assert.equal(alarm.AlarmActions.length, 1);
      if (alarm.Namespace === 'CCAG') assert.ok(collected.includes(alarm.MetricName), alarm.MetricName);
    }
  });
});

describe('settings', () => {
  const refuses = (more: Record<string, unknown>, words: RegExp) => assert.throws(() => gateway(more), words);

  it('what is missing or makes no sense is refused by its name', () => {
    refuses({ planeTlsSecretArn: '' }, /planeTlsSecretArn is missing/);
    refuses({ planeTlsSecretArn: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:x' }, /complete ARN/);
    refuses({ masterKey: 'ab'.repeat(32) }, /plain text does not belong/);
    refuses({ certificateArn: '', internetFacing: 'true' }, /certificateArn is missing/);
    refuses({ internetFacing: 'true' }, /allowedCidrs is missing/);
    refuses({ dataPlane: { minTasks: 9, maxTasks: 3 } }, /dataPlane\.minTasks is more/);
    refuses({ dataPlane: { tasks: 9 } }, /dataPlane\.tasks is unknown/);
    refuses({ memberRoleArns: ['444455556666'] }, /not the ARN of a role/);
    refuses({ hostedZoneId: 'Z1' }, /belong together/);
  });

  it('a name in Route 53 leads to the load balancer', () => {
    const named = gateway({ hostedZoneId: 'Z111', hostedZoneName: 'example.com' });
    assert.equal(one(named, 'AWS::Route53::RecordSet').Name, 'claude.example.com.');
  });
});
