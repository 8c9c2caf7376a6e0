import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.commons.beanutils.BeanUtilsBean;
import org.apache.commons.beanutils.ConvertUtilsBean;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.multilang.MultiLangRecordProcessorFactory;
import software.amazon.kinesis.multilang.config.MultiLangDaemonConfiguration;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.kpl.ExtendedSequenceNumber;

/**
 * One shard through KCL's own MultiLang classes into a child process, without Kinesis before it: what the pipe alone can carry.
 *
 * Arguments: the child's command, a file of records, records per batch, warm-up batches, counted batches. A record is its
 * partition key as Java writes text, the length of its data in four bytes, its data. Prints the counted batches' records per
 * second, and how many seconds of CPU time Java took for them.
 */
public class PipeHarness {
    /** Content with whatever a child reports: where checkpoints go is no part of the pipe. */
    private static final RecordProcessorCheckpointer CHECKPOINTER = (RecordProcessorCheckpointer) Proxy.newProxyInstance(
            PipeHarness.class.getClassLoader(), new Class<?>[] {RecordProcessorCheckpointer.class}, (self, method, given) -> null);

    public static void main(String[] arguments) throws Exception {
        List<Kept> kept = read(Path.of(arguments[1]));
        int perBatch = Integer.parseInt(arguments[2]);
        int warmUp = Integer.parseInt(arguments[3]);
        int counted = Integer.parseInt(arguments[4]);

        ExecutorService threads = Executors.newCachedThreadPool();
        MultiLangDaemonConfiguration configuration =
                new MultiLangDaemonConfiguration(new BeanUtilsBean(), new ConvertUtilsBean());
        ShardRecordProcessor shard =
                new MultiLangRecordProcessorFactory(arguments[0], threads, configuration).shardRecordProcessor();
        shard.initialize(InitializationInput.builder()
                .shardId("shardId-000000000000")
                .extendedSequenceNumber(ExtendedSequenceNumber.TRIM_HORIZON)
                .build());

        List<ProcessRecordsInput> batches = new ArrayList<>();
        for (int batch = 0; batch < warmUp + counted; batch++) batches.add(batchOf(kept, batch, perBatch));
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        long started = 0;
        long cpu = 0;
        for (int batch = 0; batch < warmUp + counted; batch++) {
            if (batch == warmUp) {
                // what the child still does for the last one is over when it answers this
                shard.processRecords(batchOf(kept, 0, 0));
                started = System.nanoTime();
                cpu = system.getProcessCpuTime();
            }
            shard.processRecords(batches.get(batch));
        }
        // a side that answers before its work is done is counted to the end of that work
        shard.processRecords(batchOf(kept, 0, 0));
        double seconds = (System.nanoTime() - started) / 1e9;
        System.out.println(counted * (double) perBatch / seconds + " " + (system.getProcessCpuTime() - cpu) / 1e9);
        shard.leaseLost(LeaseLostInput.builder().build());
        threads.shutdownNow();
        System.exit(0);
    }

    private static final class Kept {
        final String key;
        final byte[] data;

        Kept(String key, byte[] data) {
            this.key = key;
            this.data = data;
        }
    }

    private static List<Kept> read(Path file) throws IOException {
        List<Kept> kept = new ArrayList<>();
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(file)))) {
            while (in.available() > 0) {
                String key = in.readUTF();
                byte[] data = new byte[in.readInt()];
                in.readFully(data);
                kept.add(new Kept(key, data));
            }
        }
        return kept;
    }

    private static ProcessRecordsInput batchOf(List<Kept> kept, int batch, int perBatch) {
        List<KinesisClientRecord> records = new ArrayList<>(perBatch);
        for (int n = 0; n < perBatch; n++) {
            Kept one = kept.get((batch * perBatch + n) % kept.size());
            records.add(KinesisClientRecord.builder()
                    .partitionKey(one.key)
                    .data(ByteBuffer.wrap(one.data))
                    .sequenceNumber(String.format("4959%044d%08d", 0, batch * perBatch + n))
                    .subSequenceNumber(0)
                    .approximateArrivalTimestamp(Instant.now())
                    .build());
        }
        return ProcessRecordsInput.builder().records(records).millisBehindLatest(0L).checkpointer(CHECKPOINTER).build();
    }
}
