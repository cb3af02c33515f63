/**
 * Landlock's rights on files: include/uapi/linux/landlock.h, and security/landlock/fs.c for which of them a file can have (ACCESS_FILE). Which of them
 * each list of `paths:` gives is ours; docs/paths.md says why.
 */

/** The lists of `paths:`, in the order in which they are printed. */
export const PATH_LISTS = ['read', 'write', 'execute'] as const;
export type PathList = (typeof PATH_LISTS)[number];

export interface FileRight {
  /** As the kernel calls it, behind LANDLOCK_ACCESS_FS_. */
  readonly name: string;
  /** The ABI of Landlock that brought it. */
  readonly abi: number;
  /** Whether a rule on a file that is no directory can have it; the kernel answers EINVAL for others. */
  readonly onFiles: boolean;
  /** The lists that give it; nobody gets one of none. */
  readonly lists: readonly PathList[];
}

/** By their bits, from bit 0 on. */
export const FILE_RIGHTS: readonly FileRight[] = [
  { name: 'EXECUTE', abi: 1, onFiles: true, lists: ['execute'] },
  { name: 'WRITE_FILE', abi: 1, onFiles: true, lists: ['write'] },
  // The kernel opens for reading what it executes (fs/exec.c do_open_execat).
  { name: 'READ_FILE', abi: 1, onFiles: true, lists: ['read', 'execute'] },
  { name: 'READ_DIR', abi: 1, onFiles: false, lists: ['read'] },
  { name: 'REMOVE_DIR', abi: 1, onFiles: false, lists: ['write'] },
  { name: 'REMOVE_FILE', abi: 1, onFiles: false, lists: ['write'] },
  // A device that root makes beneath a writable tree would be the disk, to be read and written: no list gives it.
  { name: 'MAKE_CHAR', abi: 1, onFiles: false, lists: [] },
  { name: 'MAKE_DIR', abi: 1, onFiles: false, lists: ['write'] },
  { name: 'MAKE_REG', abi: 1, onFiles: false, lists: ['write'] },
  { name: 'MAKE_SOCK', abi: 1, onFiles: false, lists: ['write'] },
  { name: 'MAKE_FIFO', abi: 1, onFiles: false, lists: ['write'] },
  { name: 'MAKE_BLOCK', abi: 1, onFiles: false, lists: [] },
  { name: 'MAKE_SYM', abi: 1, onFiles: false, lists: ['write'] },
  { name: 'REFER', abi: 2, onFiles: false, lists: ['write'] },
  { name: 'TRUNCATE', abi: 3, onFiles: true, lists: ['write'] },
  { name: 'IOCTL_DEV', abi: 5, onFiles: true, lists: ['write'] },
];

/** The newest ABI that brought a right on files. */
export const NEWEST_FILE_ABI: number = Math.max(...FILE_RIGHTS.map(({ abi }) => abi));

/** The ABI from which on writes outside of the lists are refused in every way: truncate(2) is the last of them. */
export const LEAST_ABI = 3;

/** The ABI that brought LANDLOCK_RESTRICT_SELF_TSYNC, all threads at once: Linux 7.0. */
export const TSYNC_ABI = 8;

/** Constants of include/uapi/linux/landlock.h. */
export const LANDLOCK_CREATE_RULESET_VERSION = 1;
export const LANDLOCK_RULE_PATH_BENEATH = 1;
export const LANDLOCK_RESTRICT_SELF_TSYNC = 8;

/** Bits of the rights that `wanted` holds for. */
export function fileRights(wanted: (right: FileRight) => boolean): number {
  return FILE_RIGHTS.reduce((bits, right, bit) => (wanted(right) ? bits | (1 << bit) : bits), 0);
}

/** What a kernel of each ABI is asked to refuse, ABIs that changed it only, oldest first. */
export const HANDLED_BY_ABI: readonly { readonly abi: number; readonly rights: number }[] = [
  ...new Set(FILE_RIGHTS.map(({ abi }) => abi)),
]
  .sort((left, right) => left - right)
  .map((abi) => ({ abi, rights: fileRights((right) => right.abi <= abi) }));

export const RIGHTS_OF_FILES: number = fileRights(({ onFiles }) => onFiles);

/** What Landlock is told of one path. */
export interface PathRule {
  /** Absolute; symbolic links are followed when it is applied. */
  readonly path: string;
  /** Bits of FILE_RIGHTS; those that a file or an older kernel cannot have are left out when it is applied. */
  readonly rights: number;
  /** No error where nothing is there. */
  readonly isOptional: boolean;
}

/** `paths:` as it is applied. */
export interface PathRules {
  /** Kernels of an older ABI are refused. */
  readonly abi: number;
  /** One for each path. */
  readonly rules: readonly PathRule[];
}

/** The lists whose rights are all among these. */
export function listsOf(rights: number): readonly PathList[] {
  return PATH_LISTS.filter((list) => {
    const own = fileRights(({ lists }) => lists.includes(list));
    return (rights & own) === own;
  });
}
