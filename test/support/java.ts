import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ROOT } from './selkie.ts';

/** @returns the path of a jar with the program of test/programs/java-stress, built in `folder` */
export function buildJava(folder: string): string {
  const classes = join(folder, 'classes');
  const jar = join(folder, 'stress.jar');
  mkdirSync(classes);
  const source = join(ROOT, 'test/programs/java-stress/Stress.java');
  execFileSync('javac', ['-nowarn', '-d', classes, source], { stdio: 'pipe' });
  execFileSync('jar', ['--create', '--file', jar, '-C', classes, '.'], { stdio: 'pipe' });
  return jar;
}

/** Where in `folder` a copy of a program belongs, so that it finds what it looks for beside itself: Java its ../lib and ../conf. */
export function placeOfCopy(binary: string, folder: string): string {
  const home = dirname(dirname(binary));
  mkdirSync(join(folder, 'bin'), { recursive: true });
  if (existsSync(join(home, 'lib/server/libjvm.so')))
    for (const beside of ['lib', 'conf']) symlinkSync(join(home, beside), join(folder, beside));
  return join(folder, 'bin', basename(binary));
}
