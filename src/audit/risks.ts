/** Calls that few programs need and that open much. Hand-kept; the man page of the first name is the source unless another is given. */
export interface Risk {
  readonly calls: readonly string[];
  readonly danger: string;
}

function risk(calls: string, danger: string): Risk {
  return { calls: calls.split(' '), danger };
}

/** CLONE_NEWUSER is 1 << 28 (include/uapi/linux/sched.h). */
export const NEWUSER_BIT = 28;

/** Every risk, in the order in which they are told. */
export const RISKS: readonly Risk[] = [
  risk('ptrace process_vm_readv process_vm_writev pidfd_getfd', 'reaches into other processes of the same user'),
  risk('bpf', 'loads programs into the kernel'),
  risk('perf_event_open', 'measures other processes and the kernel; a large attack surface'),
  risk('userfaultfd', 'stops the kernel at page faults, which helps to win races against it'),
  risk('init_module finit_module delete_module', 'changes the kernel itself'),
  risk('kexec_load kexec_file_load reboot', 'replaces or stops the kernel'),
  risk('mount umount umount2 move_mount fsopen fsmount open_tree pivot_root', 'changes what paths lead to'),
  risk('setns', 'enters namespaces of others'),
  risk('keyctl add_key request_key', 'keyrings are shared with processes outside a container'),
  risk('open_by_handle_at', 'opens files beyond mounts and chroots'),
  risk('iopl ioperm', 'talks to hardware'),
  risk('swapon swapoff acct quotactl quotactl_fd syslog', 'administers the machine'),
  risk(
    'clock_settime clock_settime64 settimeofday adjtimex clock_adjtime clock_adjtime64',
    "changes the machine's clock",
  ),
  risk('kcmp lookup_dcookie', 'tells about kernel addresses'),
  risk('modify_ldt vm86 vm86old', 'old parts of x86 that have had many holes'),
];

/** Calls that make user namespaces, see clone(2) and unshare(2). */
export const NAMESPACE_CALLS: readonly string[] = ['clone', 'clone3', 'unshare'];
