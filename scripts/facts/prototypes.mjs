/** From captured prototypes to one line of text per call: `dirfd/dfd:i pathname/filename:p flags:i:O_ mode:u`. Pure. */

const POINTERS = /\*|\b(cap_user_header_t|cap_user_data_t|__sighandler_t)\b/;
const LETTERS = [
  ['l', /^(long|long int|off_t|ssize_t|__kernel_long_t|ptrdiff_t|__kernel_off_t)$/],
  ['L', /^(unsigned long|size_t|__kernel_ulong_t|aio_context_t|old_sigset_t)$/],
  ['q', /^(loff_t|__s64|s64|long long)$/],
  ['Q', /^(u64|__u64|unsigned long long)$/],
  [
    'u',
    /^(unsigned|unsigned int|u32|__u32|uint32_t|umode_t|mode_t|uid_t|gid_t|qid_t|old_uid_t|old_gid_t|unsigned char|enum \w+|__u16|u16)$/,
  ],
  [
    'i',
    /^(int|pid_t|clockid_t|timer_t|mqd_t|key_t|key_serial_t|rwf_t|__s32|s32|bool|const clockid_t|const struct \w+|dev_t)$/,
  ],
];

/** i: int, u: unsigned int, l: long, L: unsigned long, q: 64-bit signed, Q: 64-bit unsigned, p: pointer. */
export function letterOf(type) {
  if (POINTERS.test(type)) return 'p';
  const plain = type
    .replace(/\b(const|volatile)\b/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  const found = LETTERS.find(([, pattern]) => pattern.test(plain));
  if (!found) throw new Error(`no letter for the C type ${JSON.stringify(type)}`);
  return found[0];
}

/** `const char * filename` -> `{ type, name }`; the name is missing in some declarations. */
function declaration(text) {
  const clean = text.replace(/\s+/g, ' ').trim();
  const match = /^(.*?[\s*])(\w+)$/.exec(clean);
  if (!match || /^(int|long|unsigned|size_t|loff_t|u64|char)$/.test(match[2])) return { type: clean, name: undefined };
  if (/^(struct|enum|const struct|const|union)\s*$/.test(match[1])) return { type: clean, name: undefined };
  return { type: match[1].trim(), name: match[2] };
}

/** Names by which the kernel function, or the man page, of a call may be known, best first. */
function relatedNames(name, generic, hand) {
  const base = name
    .replace(/_time64$/, '')
    .replace(/32$/, '')
    .replace(/64$/, '');
  return [hand[name], generic[name], name, base, base.replace(/^_+(new)?/, ''), `new${base}`].filter(Boolean);
}

function firstOf(table, names) {
  const found = names.find((name) => table[name] !== undefined);
  return found === undefined ? undefined : table[found];
}

/** Parameters of one call as `[{ name, aliases, letter }]`, undefined where no source has it. */
export function parametersOf(name, { tracing, header, generic }, man, hand) {
  const related = relatedNames(name, generic, hand.functions);
  const found = firstOf(tracing, related) ?? firstOf(header, related);
  if (found === undefined) return undefined;
  const declared = found.map(declaration);
  const manual = firstOf(man, [name, ...related.slice(1)]);
  const usable = manual !== undefined && manual.length === declared.length ? manual : [];
  return declared.map(({ type, name: own }, index) => {
    const names = [usable[index], own].filter((word) => word !== undefined);
    if (names.length === 0) names.push(`arg${index}`);
    return { names: [...new Set(names)], letter: letterOf(type) };
  });
}

/** The text form; `groups` maps `call.parameter` or `*.parameter` to the constants' prefix. */
export function lineOf(name, parameters, groups) {
  return parameters
    .map(({ names, letter }) => {
      const group = groups[`${name}.${names[0]}`] ?? groups[`*.${names[0]}`];
      return `${names.join('/')}:${letter}${group && letter !== 'p' ? `:${group}` : ''}`;
    })
    .join(' ');
}
