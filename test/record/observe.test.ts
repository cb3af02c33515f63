import { testObserving } from '../support/observing.ts';

testObserving('notify');
testObserving('ptrace');
