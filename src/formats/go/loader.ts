import type { Instruction, Program } from '../../bpf/instruction.ts';
import type { ArchName } from '../../facts/arches.ts';
import { PROBE_ARGUMENT, PROBE_ERRNO, PROBE_OPERATION, SERVICE_PROBE_ERRNO } from '../../facts/seccomp.ts';
import { syscallNumber } from '../../facts/syscalls.ts';
import type { GoNames } from './names.ts';
import { digestSource } from './other.ts';

/** The part of a generated Go file that is for one ABI: the program and what installs it. */

export interface LoaderInput {
  readonly names: GoNames;
  readonly arch: ArchName;
  readonly goarch: string;
  readonly program: Program;
  /** Of `service:`, where the policy has it. */
  readonly service?: Program;
  /** SHA-256 of the policy, hexadecimal. */
  readonly policyDigest: string;
  /** A line a call. */
  readonly permitted: readonly string[];
}

/** Formatted as gofmt does, from the imports on. */
export function loaderSource({ names, arch, goarch, program, service, policyDigest, permitted }: LoaderInput): string {
  return `
import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"
)

${digestSource(names, policyDigest)}
${functionSource(names)}
${service ? `${serviceFunctionSource(names)}\n` : ''}${permitsSource(names, permitted)}
${constantsSource(arch)}
${INSTALL_SOURCE}
// The program, for linux/${goarch}: "selkie disasm" on the policy shows what it does.
var selkieProgram = [...]selkieInstruction{
${program.map(instructionSource).join('\n')}
}
${service ? serviceProgramSource(service) : ''}`;
}

function functionSource({ func }: GoNames): string {
  return `// ${func} confines every thread of this process, and all that they start, to what the policy permits, for ever. Call it in main,
// before anything that is not trusted. After an error do not go on: errors.Is finds the syscall.Errno in it.
func ${func}() error {
	if err := selkieConfine(); err != nil {
		return fmt.Errorf("selkie: cannot confine this program: %w", err)
	}
	return nil
}
`;
}

function serviceFunctionSource({ func }: GoNames): string {
  return `// ${func}Service narrows what ${func} put in force to the policy's service, for every thread, for ever. Call it once, when the program is
// ready. After an error do not go on.
func ${func}Service() error {
	if err := selkieInstall(selkieServiceProgram[:], selkieServiceProbeErrno); err != nil {
		return fmt.Errorf("selkie: cannot narrow this program: %w", err)
	}
	return nil
}
`;
}

function serviceProgramSource(service: Program): string {
  return `
// Of two errnos the kernel returns the newer filter's: this one proves that the service is in force.
const selkieServiceProbeErrno = ${SERVICE_PROBE_ERRNO}

// The program of the policy's service, in force over the other one.
var selkieServiceProgram = [...]selkieInstruction{
${service.map(instructionSource).join('\n')}
}
`;
}

function permitsSource({ func }: GoNames, permitted: readonly string[]): string {
  const lines = permitted.map((line) => `${line}\n`).join('');
  return `// ${func}Permits returns what the policy permits, one call a line: fmt.Print(${func}Permits()) shows it.
func ${func}Permits() string {
	return \`${lines}\`
}
`;
}

function constantsSource(arch: ArchName): string {
  const hex = (value: number): string => `0x${value.toString(16)}`;
  return `const (
	selkieSysPrctl   = ${syscallNumber(arch, 'prctl')}
	selkieSysSeccomp = ${syscallNumber(arch, 'seccomp')}

	// linux/prctl.h and linux/seccomp.h
	selkieSetNoNewPrivs = 38
	selkieGetNoNewPrivs = 39
	selkieSetModeFilter = 1
	selkieFlagTsync     = 1

	// A call that no kernel has; this program, and nothing else, answers it with this errno.
	selkieProbeOperation = ${hex(PROBE_OPERATION)}
	selkieProbeArgument  = ${hex(PROBE_ARGUMENT)}
	selkieProbeErrno     = ${PROBE_ERRNO}
)
`;
}

/** struct sock_filter. */
function instructionSource({ code, jt, jf, k }: Instruction): string {
  return `\t{0x${code.toString(16).padStart(2, '0')}, ${jt}, ${jf}, 0x${k.toString(16).padStart(8, '0')}},`;
}

/** no_new_privs reaches the other threads with the filter: seccomp_sync_threads of kernel/seccomp.c sets it where the caller has it. */
const INSTALL_SOURCE = `// struct sock_filter of linux/filter.h
type selkieInstruction struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

// struct sock_fprog of linux/filter.h
type selkieFprog struct {
	length       uint16
	instructions *selkieInstruction
}

func selkieConfine() error {
	// no_new_privs belongs to a thread, and seccomp asks for it on the thread that calls.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, _, errno := syscall.RawSyscall6(selkieSysPrctl, selkieSetNoNewPrivs, 1, 0, 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("no_new_privs cannot be set, does an outer filter forbid prctl? %w", errno)
	}
	set, _, errno := syscall.RawSyscall6(selkieSysPrctl, selkieGetNoNewPrivs, 0, 0, 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("no_new_privs cannot be read: %w", errno)
	}
	if set != 1 {
		return fmt.Errorf("no_new_privs is not set although the kernel said so: an outer filter answers for it")
	}
	return selkieInstall(selkieProgram[:], selkieProbeErrno)
}

func selkieInstall(program []selkieInstruction, probeErrno syscall.Errno) error {
	fprog := selkieFprog{uint16(len(program)), &program[0]}
	thread, _, errno := syscall.RawSyscall(selkieSysSeccomp, selkieSetModeFilter, selkieFlagTsync, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %s: %w", selkieReason(errno), errno)
	}
	if thread != 0 {
		return fmt.Errorf("seccomp: thread %d has a filter of its own: call this before such threads start: %w", thread, syscall.ESRCH)
	}
	_, _, errno = syscall.RawSyscall(selkieSysSeccomp, selkieProbeOperation, selkieProbeArgument, 0)
	if errno != probeErrno {
		return fmt.Errorf("the filter is not in force although the kernel said so: an outer filter answers for it")
	}
	return nil
}

// seccomp(2), ERRORS
func selkieReason(errno syscall.Errno) string {
	switch errno {
	case syscall.ENOSYS:
		return "the kernel has no seccomp, it came with Linux 3.17, or an outer filter hides it"
	case syscall.EINVAL:
		return "the kernel is built without filters, or does not know a part of this one"
	case syscall.EPERM:
		return "an outer filter forbids it"
	case syscall.EACCES:
		return "the thread lacks no_new_privs"
	case syscall.ENOMEM:
		return "no memory, or too many filters"
	default:
		return "the kernel refuses the filter"
	}
}
`;
