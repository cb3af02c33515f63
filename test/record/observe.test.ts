import { testObserving } from './observing.ts';

testObserving('notify');
testObserving('ptrace');
