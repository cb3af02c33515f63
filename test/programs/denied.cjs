// Makes calls that a policy denies, each once, by what Node offers.
const fs = require('node:fs');
const attempt = (action) => {
  try {
    action();
  } catch {
    // denied
  }
};
attempt(() => fs.mkdirSync('/nowhere/a'));
attempt(() => fs.rmdirSync('/nowhere/a'));
attempt(() => fs.unlinkSync('/nowhere/a'));
attempt(() => fs.renameSync('/nowhere/a', '/nowhere/b'));
attempt(() => fs.linkSync('/nowhere/a', '/nowhere/b'));
attempt(() => fs.symlinkSync('/nowhere/a', '/nowhere/b'));
attempt(() => fs.chmodSync('/nowhere/a', 0o700));
attempt(() => process.chdir('/nowhere'));
attempt(() => process.ppid);
attempt(() => process.umask(0o22));
