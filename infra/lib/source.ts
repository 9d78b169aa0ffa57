// What the app takes from the rest of the repository, so that it is said in one place only.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The repository. The tests run from a copy of this folder and say where it is. */
export const ROOT = process.env.CCAG_ROOT ?? join(__dirname, '..', '..');

/** The text of a file of the repository. */
export function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/**
 * The paths that belong to the data planes, each with all below it: the ones of the Helm chart. Everything else belongs to the
 * control planes.
 */
export function dataPaths(): string[] {
  const helpers = read('helm/ccag/templates/_helpers.tpl');
  const found = /define "ccag\.dataPaths" -}}\n([^{]+)\n{{- end }}/.exec(helpers);
  const paths = found?.[1]?.split('\n') ?? [];
  if (paths.length === 0 || paths.some((path) => !/^\/[a-z0-9/]+[a-z0-9]$/.test(path))) {
    throw new Error('helm/ccag/templates/_helpers.tpl does not define ccag.dataPaths as a list of paths');
  }
  return paths;
}

/** A number among the defaults of a plane, such as `drain_s`. */
export function defaultOf(plane: 'dataplane' | 'controlplane', key: string): number {
  const found = new RegExp(`^${key} = ([0-9]+)$`, 'm').exec(read(`${plane}/default.toml`));
  if (!found) {
    throw new Error(`${plane}/default.toml has no number ${key}`);
  }
  return Number(found[1]);
}
