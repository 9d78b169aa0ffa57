// The figures of docs/capacity.md are those of the model, and the model's are those that were measured.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ASSUMED, MEASURED, plan, row, TASK } from '../lib/capacity';
import { settings } from '../lib/settings';
import { read } from '../lib/source';
import { App } from 'aws-cdk-lib';
import { BASE } from './support';

const document = read('docs/capacity.md');

describe('capacity', () => {
  it('the table is what the model says', () => {
    for (const developers of [100, 1_000, 10_000, 100_000]) {
      assert.ok(document.includes(row(developers)), `docs/capacity.md needs: ${row(developers)}`);
    }
  });

  it('what was measured stands in docs/performance.md', () => {
    const measured = read('docs/performance.md');
    const governance = measured.split('\n## What budgets and limits cost\n')[1]?.split('\n## ')[0] ?? '';
    assert.equal(governance.match(/\n\| `paced` \| [\d.]+ ms \| ([\d.]+) ms \|/)?.[1], String(MEASURED.streamCpuMs));
    assert.match(measured, new RegExp(`\\*\\*${MEASURED.streamMemoryKB} kB\\*\\*`));
    const memory = measured.split('\n## Memory\n')[1]?.split('\n## ')[0] ?? '';
    const ratios = [...memory.matchAll(/\*\*(1\.\d\d)\*\* \|/g)].map((m) => Number(m[1]));
    assert.ok(ratios.length > 0, 'docs/performance.md has a table of the memory of bodies');
    assert.ok(MEASURED.bodyMemory >= Math.max(...ratios));
  });

  it('tasks are those that the stack makes as it comes', () => {
    const { dataPlane, inFlightPerTask } = settings(new App({ context: BASE }).node);
    assert.equal(dataPlane.cpu, TASK.vcpu * 1024);
    assert.equal(dataPlane.memoryMiB, TASK.gb * 1024);
    assert.equal(dataPlane.minTasks, TASK.least);
    assert.equal(inFlightPerTask, TASK.open);
  });

  it('every assumption stands in the document', () => {
    for (const [name, value] of Object.entries(ASSUMED)) {
      if (name === 'hours') continue;
      assert.ok(document.includes(`\`${name}\``), name);
      if (name !== 'fixedHour') assert.ok(new RegExp(`\`${name}\` \\|[^\\n]*\\b${value}\\b`).test(document), `${name} ${value}`);
    }
    assert.ok(plan(100_000).tasks <= 100);
  });
});
