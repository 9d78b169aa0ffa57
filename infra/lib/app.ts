// The stacks that there are.

import { App, type AppProps, Tags } from 'aws-cdk-lib';
import { GatewayStack } from './gateway-stack';
import { MemberStack } from './member-stack';
import { RepositoriesStack } from './repositories-stack';
import { settings } from './settings';

/** Makes them: the images' repositories, the gateway, and what goes into accounts that lend their Bedrock. */
export function build(props: AppProps = {}) {
  const app = new App(props);
  const member = String((app.node.tryGetContext('name') as unknown) ?? 'ccag');
  const repositories = new RepositoriesStack(app, `${member}-images`, { name: member });
  const members = new MemberStack(app, `${member}-member`, { name: member });
  // Without an image there is nothing to run yet: the first two stand alone.
  const gateway =
    app.node.tryGetContext('imageTag') === undefined
      ? undefined
      : new GatewayStack(app, member, { settings: settings(app.node), repositories });
  Tags.of(app).add('application', 'ccag');
  return { app, repositories, members, gateway };
}
