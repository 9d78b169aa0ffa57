// Every call that CCAG makes of AWS, with the IAM action that allows it. The policies of the roles are made of this table, and a
// test holds it against the calls that stand in the source.

import * as iam from 'aws-cdk-lib/aws-iam';

/** Who makes a call: a plane's task, an operator at a terminal, or the role in a member account that a plane has assumed. */
export type Who = 'data' | 'control' | 'operator' | 'member';

/** What an action is allowed on. */
export type On = 'models' | 'guardrails' | 'mantle' | 'everything' | 'memberRoles' | 'masterKey' | 'databaseSecret' | 'topics' | 'buses';

/** One action. */
export interface Row {
  readonly action: string;
  /** The calls in the source, as SERVICE/OPERATION. */
  readonly calls: readonly string[];
  readonly who: readonly Who[];
  readonly on: On;
}

/** All of them. */
export const ACTIONS: readonly Row[] = [
  // Requests of models. A streaming request needs an action of its own; the InvokeModel route of Anthropic's format is one of both.
  { action: 'bedrock:InvokeModel', calls: ['bedrock/InvokeModel', 'bedrock/Messages'], who: ['data', 'member'], on: 'models' },
  {
    action: 'bedrock:InvokeModelWithResponseStream',
    calls: ['bedrock/InvokeModelWithResponseStream'],
    who: ['data', 'member'],
    on: 'models',
  },
  { action: 'bedrock:CountTokens', calls: ['bedrock/CountTokens'], who: ['data', 'member'], on: 'models' },
  { action: 'bedrock:ApplyGuardrail', calls: ['bedrock/ApplyGuardrail'], who: ['data', 'member'], on: 'guardrails' },
  {
    action: 'bedrock-mantle:CreateInference',
    calls: ['bedrock-mantle/Messages', 'bedrock-mantle/CountTokens'],
    who: ['data', 'member'],
    on: 'mantle',
  },
  // What an endpoint offers. None of these actions knows resources that would be known before they are asked.
  {
    action: 'bedrock:ListInferenceProfiles',
    calls: ['bedrock/ListInferenceProfiles'],
    who: ['control', 'member'],
    on: 'everything',
  },
  { action: 'bedrock:GetInferenceProfile', calls: ['bedrock/GetInferenceProfile'], who: ['control', 'member'], on: 'everything' },
  { action: 'bedrock:ListFoundationModels', calls: ['bedrock/ListFoundationModels'], who: ['control', 'member'], on: 'everything' },
  {
    action: 'bedrock:GetFoundationModelAvailability',
    calls: ['bedrock/GetFoundationModelAvailability'],
    who: ['control', 'member'],
    on: 'everything',
  },
  {
    action: 'servicequotas:ListServiceQuotas',
    calls: ['servicequotas/ListServiceQuotas'],
    who: ['control', 'member'],
    on: 'everything',
  },
  // Endpoints in other accounts.
  { action: 'sts:AssumeRole', calls: ['sts/AssumeRole'], who: ['data', 'control'], on: 'memberRoles' },
  { action: 'sts:TagSession', calls: ['sts/TagSession'], who: ['data', 'control'], on: 'memberRoles' },
  // The master key: opened by control planes, made once by whoever installs.
  { action: 'kms:Decrypt', calls: ['kms/Decrypt'], who: ['control'], on: 'masterKey' },
  {
    action: 'kms:GenerateDataKeyWithoutPlaintext',
    calls: ['kms/GenerateDataKeyWithoutPlaintext'],
    who: ['operator'],
    on: 'masterKey',
  },
  // The user and the password of the database.
  {
    action: 'secretsmanager:GetSecretValue',
    calls: ['secretsmanager/GetSecretValue'],
    who: ['control'],
    on: 'databaseSecret',
  },
  // Notifications.
  { action: 'sns:Publish', calls: ['sns/Publish'], who: ['control'], on: 'topics' },
  { action: 'events:PutEvents', calls: ['events/PutEvents'], who: ['control'], on: 'buses' },
];

/** The actions of somebody, sorted. */
export function actionsOf(who: Who): string[] {
  return ACTIONS.filter((row) => row.who.includes(who))
    .map((row) => row.action)
    .sort();
}

/** ARNs of what actions are allowed on; nothing is allowed where there are none. */
export type Resources = Partial<Record<On, readonly string[]>>;

/** What models, guardrails and lists are called in an account. */
export function bedrockResources(partition: string, account: string): Resources {
  return {
    models: [
      // Foundation models belong to no account.
      `arn:${partition}:bedrock:*::foundation-model/anthropic.*`,
      `arn:${partition}:bedrock:*:${account}:inference-profile/*`,
      `arn:${partition}:bedrock:*:${account}:application-inference-profile/*`,
    ],
    guardrails: [`arn:${partition}:bedrock:*:${account}:guardrail/*`],
    mantle: [`arn:${partition}:bedrock-mantle:*:${account}:project/*`],
    everything: ['*'],
  };
}

/** The statements of somebody's policy: one for each kind of resource. */
export function statements(who: Who, resources: Resources): iam.PolicyStatement[] {
  const kinds = [...new Set(ACTIONS.map((row) => row.on))];
  return kinds.flatMap((on) => {
    const actions = ACTIONS.filter((row) => row.on === on && row.who.includes(who)).map((row) => row.action);
    const names = resources[on] ?? [];
    if (actions.length === 0 || names.length === 0) return [];
    return [
      new iam.PolicyStatement({
        sid: on.charAt(0).toUpperCase() + on.slice(1),
        actions,
        resources: [...names],
        ...(on === 'masterKey' && {
          conditions: {
            StringEquals: { 'kms:EncryptionContext:application': 'ccag', 'kms:EncryptionContext:purpose': 'master-key' },
          },
        }),
      }),
    ];
  });
}
