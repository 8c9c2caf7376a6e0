package software.amazon.kinesis.retrieval.polling;

import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Stands before KCL's class of this name on the daemon's class path (docs/decisions/0043): the pause before each GetRecords.
 *
 * <p>A shard's 2 MB/s are for all applications together, and one answer of 10 MiB uses up the next five seconds of everybody.
 * Under KCL's own class all ask again at the same pace, and who catches up takes nearly every turn. Here whoever is behind
 * yields: its pause doubles with each refusal, and shrinks slowly with the answers. Whoever is not asks again at its pace.
 */
public class KinesisSleepTimeController implements SleepTimeController {
    private static final double LONGEST = 16;

    /** Of one shard: each is read by a thread of its own. */
    private static final class Pace {
        private double factor = 1;
        private boolean behind;
    }

    private final ThreadLocal<Pace> paces = ThreadLocal.withInitial(Pace::new);

    @Override
    public long getSleepTimeMillis(SleepTimeControllerConfig config) {
        Pace pace = paces.get();
        long idle = config.idleMillisBetweenCalls();
        Instant answered = config.lastSuccessfulCall();
        if (answered == null) { // the last call was refused, or failed
            pace.factor = pace.behind ? Math.min(LONGEST, 2 * pace.factor) : 1;
            return (long) (idle * pace.factor * ThreadLocalRandom.current().nextDouble(0.75, 1.25));
        }
        Long behind = config.lastMillisBehindLatest();
        Long enough = config.millisBehindLatestThresholdForReducedTps();
        pace.behind = behind != null && behind > 2 * idle;
        pace.factor = pace.behind ? Math.max(1, 0.9 * pace.factor) : 1;
        long pause = (long) (idle * pace.factor);
        if (behind != null && enough != null && behind < enough) { // as KCL's own: a person's wish for fewer calls
            pause = Math.max(pause, enough);
        }
        return Math.max(0, pause - Math.max(0, Duration.between(answered, Instant.now()).toMillis()));
    }
}
