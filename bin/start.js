// Apart from bin/selkie, which must stay readable for Nodes that do not know import().
const { pathToFileURL } = require('node:url');

module.exports = (cli) => import(pathToFileURL(cli).href);
