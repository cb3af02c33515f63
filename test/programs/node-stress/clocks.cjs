// What programs ask of the runtime without naming a file or a socket.
require('./mark.cjs');
process.memoryUsage.rss(); process.cpuUsage(); process.resourceUsage(); process.uptime(); process.hrtime();
process.title; process.pid; process.ppid; new Intl.DateTimeFormat('de').format(new Date()); new Date().toString(); 'ä'.localeCompare('b');
structuredClone({ a: 1 }); new AbortController().abort(); Math.random(); require('node:crypto').getRandomValues(new Uint8Array(8));
const { PerformanceObserver, monitorEventLoopDelay } = require('node:perf_hooks');
const delay = monitorEventLoopDelay(); delay.enable();
new PerformanceObserver(() => {}).observe({ entryTypes: ['gc'] });
setTimeout(() => delay.disable(), 200);
