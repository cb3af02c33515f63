// Runs the suite, or one end, confined: node main.mjs CONFINE suite | node main.mjs CONFINE end WORD. CONFINE is the module, or "none".
import { cases, ends } from './cases.mjs';

const [module, what, word] = process.argv.slice(2);
const LIMIT_MS = 20_000;
const SETS = ['@stdio', '@files', '@read', '@write', '@dirs', '@network', '@poll'];
if (module !== 'none') {
  const { confine } = await import(module);
  confine({ allow: [...SETS, 'kill', 'getrusage', 'sysinfo', 'getppid'] });
}
if (what === 'end') ends[word]();
else await suite();

async function suite() {
  const failures = {};
  for (const [name, body] of Object.entries(cases)) {
    if (process.env.APP_PROGRESS) process.stderr.write(`${name}\n`);
    try {
      await within(LIMIT_MS, body);
    } catch (error) {
      failures[name] = `${error.code ?? ''} ${error.message ?? error}`;
    }
  }
  console.log(JSON.stringify({ count: Object.keys(cases).length, failures }));
  // A case that failed may leave a server behind.
  process.exit();
}

async function within(limit, body) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('late')), limit);
  });
  try {
    await Promise.race([body(), late]);
  } finally {
    clearTimeout(timer);
  }
}
