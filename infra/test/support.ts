// The app with settings as somebody would have them.

import { Template } from 'aws-cdk-lib/assertions';
import { build } from '../lib/app';

export const TLS = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:ccag/plane-tls-AbCdEf';
export const CERTIFICATE = 'arn:aws:acm:eu-central-1:111122223333:certificate/8f4c1f5e-0000-4000-8000-000000000000';

/** What has to be set, and a certificate. */
export const BASE: Record<string, unknown> = {
  '@aws-cdk/aws-iam:minimizePolicies': true,
  imageTag: '1.0.0',
  planeTlsSecretArn: TLS,
  certificateArn: CERTIFICATE,
  domainName: 'claude.example.com',
};

/** The gateway's template. Assets are not staged: nothing is deployed. */
export function gateway(more: Record<string, unknown> = {}): Template {
  const { gateway } = build({ context: { ...BASE, ...more, 'aws:cdk:disable-asset-staging': true }, analyticsReporting: false });
  if (!gateway) throw new Error('there is no gateway');
  return Template.fromStack(gateway);
}

/** What there is of a type, by its logical id. */
export function all(template: Template, type: string): Record<string, any> {
  return template.findResources(type);
}

/** The only one of a type whose logical id begins so. */
export function one(template: Template, type: string, start = ''): any {
  const found = Object.entries(all(template, type)).filter(([id]) => id.startsWith(start));
  if (found.length !== 1) throw new Error(`there are ${found.length} ${type} ${start}`);
  return found[0]![1].Properties;
}

/** A container of a plane's task. */
export function container(template: Template, plane: 'ControlPlane' | 'DataPlane', name: string): any {
  const definition = one(template, 'AWS::ECS::TaskDefinition', plane);
  const found = definition.ContainerDefinitions.filter((c: { Name: string }) => c.Name === name);
  if (found.length !== 1) throw new Error(`${plane} has ${found.length} containers ${name}`);
  return found[0];
}

/** Environment and secrets of a container: what it is told, whatever it may be. */
export function variables(c: { Environment?: { Name: string; Value: unknown }[]; Secrets?: { Name: string; ValueFrom: unknown }[] }) {
  const plain = Object.fromEntries((c.Environment ?? []).map((v) => [v.Name, v.Value]));
  const secret = Object.fromEntries((c.Secrets ?? []).map((v) => [v.Name, JSON.stringify(v.ValueFrom)]));
  return { plain, secret };
}
