import { UsageError } from '../../base/errors.ts';

/** Names in generated Go source. */
export interface GoNames {
  readonly package: string;
  readonly func: string;
}

/** https://go.dev/ref/spec#Keywords */
const KEYWORDS: ReadonlySet<string> = new Set(
  (
    'break case chan const continue default defer else fallthrough for func go goto if import interface map package range return ' +
    'select struct switch type var'
  ).split(' '),
);
/** Names that mean something else in the files: their imports, what Go itself calls, predeclared names that they use. */
const TAKEN: ReadonlySet<string> = new Set(
  'main init fmt runtime syscall unsafe errors string error uint8 uint16 uint32 uintptr nil len true false'.split(' '),
);

/** @throws {UsageError} `bad_name` for what Go would refuse */
export function goNames(packageName: string, func: string): GoNames {
  requireIdentifier('--package', packageName);
  requireIdentifier('--func', func);
  if (TAKEN.has(func) || func.startsWith('selkie'))
    throw new UsageError(
      'bad_name',
      `Cannot use --func ${func}: the generated files use this name themselves; choose another`,
    );
  return { package: packageName, func };
}

function requireIdentifier(option: string, name: string): void {
  if (/^[A-Za-z_]\w*$/.test(name) && name !== '_' && !KEYWORDS.has(name)) return;
  throw new UsageError('bad_name', `Cannot use ${option} "${name}": wanted a Go name of letters, digits and _`);
}
