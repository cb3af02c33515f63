// What a trace shows after this call is what the runtime does once a program runs: no file has this name.
require('node:fs').existsSync('/selkie-mark');
