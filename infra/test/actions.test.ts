// The roles may do what the code calls, and nothing else.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Template } from 'aws-cdk-lib/assertions';
import { ACTIONS, actionsOf } from '../lib/actions';
import { build } from '../lib/app';
import { read, ROOT } from '../lib/source';
import { all, BASE, gateway } from './support';

/** The text of every source file below a folder, without tests at its end. */
function sources(folder: string): { path: string; text: string }[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.rs') && !/(^|\/)tests?(\.rs$|\/)/.test(name))
    .map((name) => `${folder}/${name}`)
    .map((path) => ({ path, text: read(path).split('#[cfg(test)]')[0]! }));
}

const FOLDERS = ['crates/aws/src', 'crates/daemon/src', 'crates/search/src', 'dataplane/src', 'controlplane/src', 'standalone/src'];
const EVERYTHING = FOLDERS.flatMap(sources);

/** What the data plane asks of Bedrock: the variants of its `Operation`, each as SERVICE/OPERATION. */
const OPERATIONS: Record<string, string> = {
  Invoke: 'bedrock/InvokeModel',
  InvokeStream: 'bedrock/InvokeModelWithResponseStream',
  CountTokens: 'bedrock/CountTokens',
  Messages: 'bedrock/Messages',
  Mantle: 'bedrock-mantle/Messages',
  MantleCount: 'bedrock-mantle/CountTokens',
  ApplyGuardrail: 'bedrock/ApplyGuardrail',
};

/** All calls that stand in the source, and what was not understood of it. */
function calls(): { found: Set<string>; unclear: string[] } {
  const found = new Set<string>();
  const unclear: string[] = [];
  for (const { path, text } of EVERYTHING) {
    // Whoever makes a request says what it is signed for.
    for (const { index, 1: operation, 2: service } of text.matchAll(/\bAsk::new\(\s*([^,]+),\s*([^,]+),/g)) {
      const signed = /^"([a-z-]+)"$/.exec(service!.trim())?.[1];
      if (!signed) {
        unclear.push(`${path}: Ask::new is signed for ${service}`);
        continue;
      }
      const names = operationsOf(operation!.trim(), text, index);
      if (names.length === 0) unclear.push(`${path}: ${operation} of ${signed} has no name`);
      for (const name of names) found.add(`${signed}/${name}`);
    }
    // The roles of endpoints, by the AWS SDK.
    if (text.includes('AssumeRoleProvider::builder(')) {
      found.add('sts/AssumeRole');
      if (/\bbuilder\.tags\(/.test(text)) found.add('sts/TagSession');
    }
    if (/\baws_sdk_[a-z]+::/.test(text)) unclear.push(`${path}: an SDK of a service is used`);
  }
  const operations = /pub enum Operation<'a> \{([\s\S]*?)\n\}/.exec(read('dataplane/src/bedrock/mod.rs'))?.[1] ?? '';
  for (const [, variant] of operations.matchAll(/^ {4}([A-Z][A-Za-z]+)(?:,| \{)/gm)) {
    const name = OPERATIONS[variant!];
    if (name) found.add(name);
    else unclear.push(`Operation::${variant} of the data plane`);
  }
  return { found, unclear };
}

/** The names that an expression for an operation stands for: itself, or whatever is handed to the function around it. */
function operationsOf(expression: string, text: string, at: number): string[] {
  const literal = /^"([A-Za-z]+)"$/.exec(expression)?.[1];
  if (literal) return [literal];
  const constants = [...text.matchAll(/const OPERATION: &str = "([A-Za-z]+)"/g)];
  if (expression === 'OPERATION') return constants.filter((m) => m.index < at).slice(-1).map((m) => m[1]!);
  if (expression === 'trial.operation') return [...text.matchAll(/Trial::runtime\(\s*"([A-Za-z]+)"/g)].map((m) => m[1]!);
  if (expression !== 'operation') return [];
  // `get` is called from all over its crate, `kms` from its own file.
  const get = text.includes('fn get<') || text.includes('fn get(');
  const names = get
    ? EVERYTHING.flatMap((s) => [...s.text.matchAll(/\.get(?:::<[^>]+>)?\(\s*"([A-Z][A-Za-z]+)"\s*,\s*\w*endpoint/g)])
    : [...text.matchAll(/\.kms\(\s*"([A-Za-z]+)"/g), ...constants];
  return names.map((m) => m[1]!);
}

describe('actions', () => {
  const { found, unclear } = calls();
  const named = ACTIONS.flatMap((row) => row.calls);

  it('every call in the source is understood', () => assert.deepEqual(unclear, []));

  it('every call in the source has its action', () => {
    // AWS STS API reference, "GetCallerIdentity": no permissions are required.
    const needsNone = ['sts/GetCallerIdentity'];
    assert.deepEqual([...found].filter((call) => !named.includes(call) && !needsNone.includes(call)).sort(), []);
  });

  it('every action has its call in the source', () => {
    assert.ok(found.size > 12, [...found].join(' '));
    assert.deepEqual(named.filter((call) => !found.has(call)), []);
  });

  it('every action that the source names is known', () => {
    const words = EVERYTHING.flatMap((s) => [
      ...s.text.matchAll(/["`]((?:bedrock|bedrock-mantle|sts|kms|sns|events|servicequotas|secretsmanager):[A-Z][A-Za-z]+)["`]/g),
    ]).map((m) => m[1]!);
    const known = ACTIONS.map((row) => row.action);
    assert.ok(words.length > 10);
    assert.deepEqual([...new Set(words)].filter((word) => !known.includes(word)).sort(), []);
  });

  it('no crate of AWS calls services behind our back', () => {
    const manifests = ['Cargo.toml', 'crates/aws/Cargo.toml', 'dataplane/Cargo.toml', 'controlplane/Cargo.toml'];
    for (const manifest of manifests) assert.doesNotMatch(read(manifest), /^aws-sdk-/m, manifest);
  });
});

/** The actions of a role's policies, but those of its metrics' collector, and of the key that its secret is under. */
function granted(template: Template, role: string): string[] {
  const policies = Object.entries(all(template, 'AWS::IAM::Policy')).filter(([id]) => id.startsWith(role));
  const statements = policies.flatMap(([, p]) => p.Properties.PolicyDocument.Statement);
  return statements
    .filter((s: { Sid?: string }) => s.Sid !== 'Collector' && s.Sid !== 'DatabaseSecretKey')
    .flatMap((s: { Action: string | string[] }) => s.Action)
    .sort();
}

describe('roles', () => {
  const full = gateway({
    masterKey: 'kms:eu-central-1:AQIDAHh=',
    memberRoleArns: ['arn:aws:iam::444455556666:role/ccag-endpoint'],
    notificationTopicArns: ['arn:aws:sns:eu-central-1:111122223333:budgets'],
    notificationBusArns: ['arn:aws:events:eu-central-1:111122223333:event-bus/ccag'],
  });

  it('data planes may do what they call', () => {
    assert.deepEqual(granted(full, 'DataPlaneTaskRole'), actionsOf('data'));
  });

  it('control planes may do what they call', () => {
    assert.deepEqual(granted(full, 'ControlPlaneTaskRole'), actionsOf('control'));
  });

  it('what is not used is not allowed', () => {
    const bare = gateway();
    for (const role of ['DataPlaneTaskRole', 'ControlPlaneTaskRole']) {
      const actions = granted(bare, role).filter((action) => /^(sts|kms|sns|events):/.test(action));
      assert.deepEqual(actions, [], role);
    }
  });

  it('no plane may do everything of a service, and only lists are allowed on everything', () => {
    const lists = ACTIONS.filter((row) => row.on === 'everything').map((row) => row.action);
    for (const [id, policy] of Object.entries(all(full, 'AWS::IAM::Policy'))) {
      if (!/^(DataPlane|ControlPlane)TaskRole/.test(id)) continue;
      for (const statement of policy.Properties.PolicyDocument.Statement) {
        const actions: string[] = [statement.Action].flat();
        assert.ok(actions.every((action) => !action.includes('*')), id);
        if (statement.Resource === '*') assert.ok(actions.every((action) => lists.includes(action)), String(actions));
      }
    }
  });

  it('a control plane reads the secret of its database, and opens its key through Secrets Manager alone', () => {
    const policy = Object.entries(all(gateway(), 'AWS::IAM::Policy')).find(([id]) => id.startsWith('ControlPlaneTaskRole'))![1];
    const of = (sid: string) => policy.Properties.PolicyDocument.Statement.find((s: { Sid?: string }) => s.Sid === sid);
    assert.equal(of('DatabaseSecret').Action, 'secretsmanager:GetSecretValue');
    assert.match(JSON.stringify(of('DatabaseSecret').Resource), /^\{"Ref":"DatabaseAppAttachment/);
    assert.match(JSON.stringify(of('DatabaseSecretKey').Condition), /kms:ViaService.*secretsmanager\./);
  });

  it('the master key is opened as a master key only', () => {
    const policy = Object.entries(all(full, 'AWS::IAM::Policy')).find(([id]) => id.startsWith('ControlPlaneTaskRole'))![1];
    const statement = policy.Properties.PolicyDocument.Statement.find((s: { Sid?: string }) => s.Sid === 'MasterKey');
    assert.ok(read('controlplane/src/master_key.rs').includes('[("application", "ccag"), ("purpose", "master-key")]'));
    assert.deepEqual(statement.Condition, {
      StringEquals: { 'kms:EncryptionContext:application': 'ccag', 'kms:EncryptionContext:purpose': 'master-key' },
    });
  });
});

describe('member accounts', () => {
  const template = Template.fromStack(build({ context: BASE, analyticsReporting: false }).members);
  const role = Object.values(all(template, 'AWS::IAM::Role'))[0].Properties;

  it('the role may do what endpoints need', () => {
    assert.deepEqual(granted(template, 'Role'), actionsOf('member'));
  });

  it('it is assumed by the planes alone, with the external id', () => {
    const [assume, tags] = role.AssumeRolePolicyDocument.Statement;
    assert.equal(assume.Action, 'sts:AssumeRole');
    assert.deepEqual(assume.Condition.StringEquals, { 'sts:ExternalId': { Ref: 'ExternalId' } });
    const principals = JSON.stringify(assume.Condition.ArnEquals['aws:PrincipalArn']);
    assert.match(principals, /-data-plane/);
    assert.match(principals, /-control-plane/);
    assert.equal(tags.Action, 'sts:TagSession');
    assert.deepEqual(tags.Condition.ArnEquals, assume.Condition.ArnEquals);
  });

  it('the planes have the names that it asks for', () => {
    const names = Object.values(all(gateway(), 'AWS::IAM::Role')).map((r) => r.Properties.RoleName as string | undefined);
    assert.deepEqual(names.filter(Boolean).sort(), ['ccag-control-plane', 'ccag-data-plane']);
  });

  it('tags of sessions are those of the gateway', () => {
    const tags = [...read('crates/domain/src/access.rs').matchAll(/"(ccag:[a-z-]+)"/g)].map((m) => m[1]!);
    assert.ok(tags.length >= 4, String(tags));
  });

  it('it stands alone: no assets, no other stack', () => {
    const text = JSON.stringify(template.toJSON());
    assert.doesNotMatch(text, /Fn::ImportValue|cdk-hnb659fds-assets/);
  });
});
