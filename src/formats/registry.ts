import type { FormatEntry } from './format.ts';

/** Every format that policies can be converted to; a further one is an entry here and its own file. */
export const FORMATS: readonly FormatEntry[] = [
  {
    name: 'go',
    about: 'Go source that confines its own process: no cgo, no libraries',
    options: [
      { name: 'package', about: 'name of the Go package', default: 'main' },
      { name: 'func', about: 'name of the function that confines', default: 'ConfineSelkie' },
    ],
    load: () => import('./go/format.ts'),
  },
  {
    name: 'policy',
    about: 'a policy of Selkie, printed unless -o says where',
    printed: true,
    options: [],
    load: () => import('./policy/format.ts'),
  },
];
