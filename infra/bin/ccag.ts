import { build } from '../lib/app';

build().app.synth();
