// In an account that lends its Bedrock to the gateway: one role, which the gateway's planes may assume, and nothing else. The
// template has parameters instead of settings, so that it can be rolled out over an organisation by StackSets.

import { Aws, CfnOutput, CfnParameter, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { bedrockResources, statements } from './actions';

export class MemberStack extends Stack {
  constructor(scope: Construct, id: string, props: StackProps & { name: string }) {
    super(scope, id, props);
    const gateway = new CfnParameter(this, 'GatewayAccount', {
      description: 'The account that the gateway runs in',
      allowedPattern: '[0-9]{12}',
    });
    const installation = new CfnParameter(this, 'Installation', {
      description: 'The name of the installation: what the roles of its planes begin with',
      default: props.name,
      allowedPattern: '[a-z][a-z0-9-]{0,19}',
    });
    const externalId = new CfnParameter(this, 'ExternalId', {
      description: 'What the gateway has to show beside its name: external_id of the endpoint',
      allowedPattern: '[\\w+=,.@:/-]{16,1224}',
      noEcho: true,
    });
    const roleName = new CfnParameter(this, 'RoleName', { default: 'ccag-endpoint', allowedPattern: '[\\w+=,.@-]{1,64}' });

    const planes = ['data-plane', 'control-plane'].map(
      (plane) => `arn:${Aws.PARTITION}:iam::${gateway.valueAsString}:role/${installation.valueAsString}-${plane}`,
    );
    // The account is trusted, and of it those with the names of the planes. A role that is named as the principal itself would be
    // remembered by its inner id, and would not be known any more once it has been made anew.
    const trusted = new iam.ArnPrincipal(`arn:${Aws.PARTITION}:iam::${gateway.valueAsString}:root`);
    const role = new iam.Role(this, 'Role', {
      roleName: roleName.valueAsString,
      description: 'Claude on Bedrock for the gateway',
      maxSessionDuration: Duration.hours(1),
      assumedBy: trusted.withConditions({
        ArnEquals: { 'aws:PrincipalArn': planes },
        StringEquals: { 'sts:ExternalId': externalId.valueAsString },
      }),
    });
    // Sessions may be tagged with who they are for, so that AWS's bill can be split.
    role.assumeRolePolicy?.addStatements(
      new iam.PolicyStatement({
        sid: 'Tags',
        principals: [trusted],
        actions: ['sts:TagSession'],
        conditions: {
          ArnEquals: { 'aws:PrincipalArn': planes },
          'ForAllValues:StringLike': { 'aws:TagKeys': ['ccag:*'] },
        },
      }),
    );
    for (const statement of statements('member', bedrockResources(Aws.PARTITION, Aws.ACCOUNT_ID))) {
      role.addToPolicy(statement);
    }
    new CfnOutput(this, 'RoleArn', { value: role.roleArn, description: 'role_arn of the endpoint' });
  }
}
