import java.time.Instant;
import java.util.Scanner;
import software.amazon.kinesis.retrieval.polling.KinesisSleepTimeController;
import software.amazon.kinesis.retrieval.polling.SleepTimeControllerConfig;

/** Says how long a shard's reader would pause. A line is "refused", or how far behind the answer was, in ms. */
public class Pause {
    private static final long IDLE_MS = 1000;

    public static void main(String[] arguments) {
        KinesisSleepTimeController controller = new KinesisSleepTimeController();
        for (Scanner lines = new Scanner(System.in); lines.hasNextLine(); ) {
            String line = lines.nextLine();
            boolean refused = line.equals("refused");
            System.out.println(controller.getSleepTimeMillis(SleepTimeControllerConfig.builder()
                    // in the future: no time has passed since, however slow this machine is
                    .lastSuccessfulCall(refused ? null : Instant.now().plusSeconds(60))
                    .lastMillisBehindLatest(refused ? null : Long.valueOf(line))
                    .millisBehindLatestThresholdForReducedTps(0L)
                    .idleMillisBetweenCalls(IDLE_MS)
                    .build()));
        }
    }
}
