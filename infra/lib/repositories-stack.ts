// Where images are pushed before anything runs.

import { CfnOutput, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import type { Construct } from 'constructs';

export class RepositoriesStack extends Stack {
  readonly dataPlane: ecr.Repository;
  readonly controlPlane: ecr.Repository;

  constructor(scope: Construct, id: string, props: StackProps & { name: string }) {
    super(scope, id, props);
    const repository = (image: string) => {
      const made = new ecr.Repository(this, image, {
        repositoryName: `${props.name}/${image}`,
        // A tag that has been deployed stays what it was.
        imageTagMutability: ecr.TagMutability.IMMUTABLE,
        imageScanOnPush: true,
        encryption: ecr.RepositoryEncryption.AES_256,
        removalPolicy: RemovalPolicy.RETAIN,
        lifecycleRules: [{ maxImageCount: 30, description: 'the last thirty' }],
      });
      new CfnOutput(this, `${image}-uri`, { value: made.repositoryUri });
      return made;
    };
    this.dataPlane = repository('ccag-dataplane');
    this.controlPlane = repository('ccag-controlplane');
  }
}
