import com.google.common.util.concurrent.FutureCallback;
import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.MoreExecutors;
import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.kinesis.producer.KinesisProducer;
import software.amazon.kinesis.producer.KinesisProducerConfiguration;
import software.amazon.kinesis.producer.UserRecordResult;

/**
 * The KPL's side of the publish benchmark: puts the "user TAB event" lines of a file.
 *
 * Arguments: file, host, port, stream, events to warm up with, events that count, folder for the native part. It says GO before the
 * first event that counts, HALF in their middle, and at the end one line of JSON.
 */
public class KplProducer {
    /** About the memory that our publisher allows itself for events under way. */
    private static final int OUTSTANDING = 27_000;
    /** Of /proc: hundredths of a second on every Linux that we know. */
    private static final double TICK = 0.01;

    private static final AtomicLong confirmed = new AtomicLong();
    private static final AtomicLong settled = new AtomicLong();
    private static final FutureCallback<UserRecordResult> CALLBACK = new FutureCallback<>() {
        @Override
        public void onSuccess(UserRecordResult result) {
            confirmed.incrementAndGet();
            settled.incrementAndGet();
        }

        @Override
        public void onFailure(Throwable error) {
            settled.incrementAndGet();
        }
    };

    public static void main(String[] given) throws Exception {
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        KinesisProducer producer = open(given[1], Long.parseLong(given[2]), given[6]);
        try (InputStream file = Files.newInputStream(Path.of(given[0]))) {
            Source lines = new Source(file);
            long warmUp = Long.parseLong(given[4]);
            long counted = Long.parseLong(given[5]);
            put(lines, producer, given[3], warmUp, -1);
            long child = ProcessHandle.current().descendants().mapToLong(ProcessHandle::pid).max().orElseThrow();
            say("GO");
            long before = confirmed.get();
            long java = system.getProcessCpuTime();
            double nativeSeconds = cpuSeconds(child);
            put(lines, producer, given[3], counted, counted / 2);
            System.out.printf(
                    "{\"confirmed\": %d, \"seconds\": {\"java\": %.3f, \"native\": %.3f}, \"megabytes\": %.1f}%n",
                    confirmed.get() - before,
                    (system.getProcessCpuTime() - java) / 1e9,
                    cpuSeconds(child) - nativeSeconds,
                    megabytes(ProcessHandle.current().pid()) + megabytes(child));
        }
        producer.destroy();
        System.exit(0);
    }

    private static KinesisProducer open(String host, long port, String folder) {
        return new KinesisProducer(new KinesisProducerConfiguration()
                .setRegion("us-east-1")
                .setCredentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "test")))
                .setKinesisEndpoint(host)
                .setKinesisPort(port)
                .setStsEndpoint(host)
                .setStsPort(port)
                .setCloudwatchEndpoint(host)
                .setCloudwatchPort(port)
                .setVerifyCertificate(false)
                .setMetricsLevel("none")
                .setAggregationEnabled(true)
                .setRecordMaxBufferedTime(100)
                .setRecordTtl(60_000)
                // no limits are enforced, so none are kept
                .setRateLimit(1_000_000)
                .setLogLevel("warning")
                .setTempDirectory(folder));
    }

    /** Returns when all of them are settled. */
    private static void put(Source lines, KinesisProducer producer, String stream, long count, long half) throws Exception {
        long until = settled.get() + count;
        for (long number = 0; number < count; number++) {
            if (number == half) say("HALF");
            String user = new String(lines.upTo('\t'), StandardCharsets.UTF_8);
            ByteBuffer event = ByteBuffer.wrap(lines.upTo('\n'));
            // the back-pressure that AWS advises
            if (number % 100 == 0) while (producer.getOutstandingRecordsCount() > OUTSTANDING) Thread.sleep(1);
            Futures.addCallback(producer.addUserRecord(stream, user, event), CALLBACK, MoreExecutors.directExecutor());
        }
        producer.flush();
        while (settled.get() < until) Thread.sleep(1);
    }

    /** A file, read as it is needed; the library's buffered stream locks for every byte. */
    private static final class Source {
        private final InputStream in;
        private final byte[] buffer = new byte[1 << 18];
        private int at;
        private int end;

        Source(InputStream in) {
            this.in = in;
        }

        byte[] upTo(char mark) throws IOException {
            for (int stop = at; ; stop++) {
                if (stop == end) {
                    System.arraycopy(buffer, at, buffer, 0, end - at);
                    stop -= at;
                    end -= at;
                    at = 0;
                    int read = in.read(buffer, end, buffer.length - end);
                    if (read < 0) throw new IOException("the file is too short");
                    end += read;
                }
                if (buffer[stop] == mark) {
                    byte[] found = Arrays.copyOfRange(buffer, at, stop);
                    at = stop + 1;
                    return found;
                }
            }
        }
    }

    private static double cpuSeconds(long pid) throws IOException {
        String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return TICK * (Long.parseLong(fields[11]) + Long.parseLong(fields[12]));
    }

    /** Its share of what it shares with others included. */
    private static double megabytes(long pid) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/smaps_rollup"))) {
            if (line.startsWith("Pss:")) return 1.024e-3 * Double.parseDouble(line.replaceAll("[^0-9]", ""));
        }
        return 0;
    }

    private static void say(String word) {
        System.out.println(word);
        System.out.flush();
    }
}
