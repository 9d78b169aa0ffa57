// How much of everything an organisation needs: the model in docs/capacity.md, where its assumptions stand.

/** What the planes were measured to take: docs/performance.md. */
export const MEASURED = {
  /** CPU of a data plane for a stream of 60 kB and 200 events, 5 ms apart, with budgets and limits, in milliseconds. */
  streamCpuMs: 2.8,
  /** Memory of an open stream, in kilobytes. */
  streamMemoryKB: 60,
  /** Memory of a body in flight, over its size. */
  bodyMemory: 1.04,
};

/** What is assumed of people and of prices. Put in your own. */
export const ASSUMED = {
  /** How many of all developers are at work in the busiest hour. */
  active: 0.3,
  /** Open requests of each of them on average, agents included. */
  openEach: 0.6,
  /** How long a request lasts, in seconds. */
  seconds: 12,
  /** How much more than the one that was measured a request costs: longer conversations and answers. */
  heavier: 2,
  /** The size of a request, in megabytes. */
  bodyMB: 0.5,
  /** How long Bedrock takes to begin its answer, in seconds. */
  firstTokenS: 3,
  /** How many times the busiest hour a day has. */
  busyHours: 6,
  workdaysAMonth: 21,
  /** Size of a row of the ledger with its indexes and its part of the sums, in kilobytes. */
  rowKB: 1,
  /** Dollars of an hour: vCPU and GB of Fargate on ARM64, two NAT gateways, eight endpoints in two zones, the load balancer. */
  vcpuHour: 0.03238,
  gbHour: 0.00356,
  fixedHour: 2 * 0.045 + 16 * 0.01 + 0.0225,
  /** Of a load balancer's capacity unit, for 1 GB an hour and 3,000 connections a minute. */
  lcuHour: 0.008,
  /** Gigabytes that go through it for each request. */
  trafficGB: 0.0007,
  /** Of a gigabyte of the database's disk in two zones, a month. */
  diskGBMonth: 0.23,
  hours: 730,
};

/** How much a data plane's task is to be used at most, and what it has. */
export const TASK = { vcpu: 2, gb: 4, cpu: 0.6, open: 500, least: 3 };

/** The database by the requests a second that it has to write down: an instance in two zones and its dollars an hour. */
export const DATABASES = [
  { upTo: 50, instance: 'm7g.large', hour: 0.336, vcpu: 2 },
  { upTo: 400, instance: 'm7g.2xlarge', hour: 1.344, vcpu: 8 },
  { upTo: Number.POSITIVE_INFINITY, instance: 'm7g.8xlarge', hour: 5.376, vcpu: 32 },
];

/** What so many developers need. */
export function plan(developers: number) {
  const a = ASSUMED;
  const open = developers * a.active * a.openEach;
  const perSecond = open / a.seconds;
  const cores = (perSecond * MEASURED.streamCpuMs * a.heavier) / 1000;
  const memoryGB = (open * MEASURED.streamMemoryKB) / 1e6 + (perSecond * a.firstTokenS * a.bodyMB * MEASURED.bodyMemory) / 1e3;
  const needed = Math.max(cores / (TASK.vcpu * TASK.cpu), open / TASK.open, memoryGB / (TASK.gb / 2));
  // One more than needed, so that one may be missing.
  const tasks = Math.max(TASK.least, Math.ceil(needed) + 1);
  const requestsADay = perSecond * 3600 * a.busyHours;
  const ledgerGBMonth = (requestsADay * a.workdaysAMonth * a.rowKB) / 1e6;
  const database = DATABASES.find((d) => perSecond <= d.upTo)!;
  const traffic = requestsADay * a.workdaysAMonth * a.trafficGB;
  const dollars =
    a.hours *
      (tasks * (TASK.vcpu * a.vcpuHour + TASK.gb * a.gbHour) +
        2 * (a.vcpuHour + 2 * a.gbHour) +
        a.fixedHour +
        database.hour) +
    // The disk of a year's ledger, and at least a hundred gigabytes.
    Math.max(100, 12 * ledgerGBMonth) * a.diskGBMonth +
    traffic * a.lcuHour;
  return { developers, open, perSecond, cores, memoryGB, tasks, requestsADay, ledgerGBMonth, database: database.instance, dollars };
}

/** The same as a row of the table in docs/capacity.md. */
export function row(developers: number): string {
  const p = plan(developers);
  const number = (value: number, digits = 0) =>
    value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `| ${[
    number(developers),
    number(p.open),
    number(p.perSecond, p.perSecond < 100 ? 1 : 0),
    number(p.cores, 2),
    number(p.memoryGB, 2),
    number(p.tasks),
    number(p.requestsADay / 1000),
    number(p.ledgerGBMonth),
    p.database,
    number(Math.round(p.dollars / 10) * 10),
    number((1000 * p.dollars) / developers),
  ].join(' | ')} |`;
}

if (require.main === module) {
  for (const developers of process.argv.slice(2)) console.log(row(Number(developers)));
}
