import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.Executors;
import org.apache.commons.beanutils.BeanUtilsBean;
import org.apache.commons.beanutils.ConvertUtilsBean;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.multilang.MultiLangRecordProcessorFactory;
import software.amazon.kinesis.multilang.config.MultiLangDaemonConfiguration;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.kpl.ExtendedSequenceNumber;

/**
 * Every message that the daemon's classes send to a shard's process, which is the command in the first argument.
 *
 * Reads lines "key data sequenceNumber subSequenceNumber arrival" (key in UTF-16BE and data in base64); a line "= millis" ends a
 * batch. The second argument is how often each batch is sent, the third how the shard is left: "ended", "requested" or "lost".
 */
public class Write {
    public static void main(String[] arguments) throws Exception {
        InvocationHandler nothing = (self, method, told) -> null;
        RecordProcessorCheckpointer checkpointer = (RecordProcessorCheckpointer) Proxy.newProxyInstance(
                Write.class.getClassLoader(), new Class<?>[] {RecordProcessorCheckpointer.class}, nothing);
        ShardRecordProcessor shard = new MultiLangRecordProcessorFactory(
                        arguments[0],
                        Executors.newCachedThreadPool(),
                        new MultiLangDaemonConfiguration(new BeanUtilsBean(), new ConvertUtilsBean()))
                .shardRecordProcessor();
        shard.initialize(InitializationInput.builder()
                .shardId("shardId-000000000000")
                .extendedSequenceNumber(new ExtendedSequenceNumber("49", 3L))
                .build());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        List<KinesisClientRecord> records = new ArrayList<>();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] fields = line.split(" ", -1);
            if (!fields[0].equals("=")) {
                records.add(KinesisClientRecord.builder()
                        .partitionKey(characters(fields[0]))
                        // as it comes from the AWS SDK
                        .data(ByteBuffer.wrap(Base64.getDecoder().decode(fields[1])).asReadOnlyBuffer())
                        .sequenceNumber(fields[2])
                        .subSequenceNumber(Long.parseLong(fields[3]))
                        .approximateArrivalTimestamp(Instant.ofEpochMilli(Long.parseLong(fields[4])))
                        .build());
                continue;
            }
            for (int time = 0; time < Integer.parseInt(arguments[1]); time++) {
                records.forEach(record -> record.data().rewind());
                shard.processRecords(ProcessRecordsInput.builder()
                        .records(records)
                        .millisBehindLatest(fields[1].equals("-") ? null : Long.valueOf(fields[1]))
                        .checkpointer(checkpointer)
                        .build());
            }
            records = new ArrayList<>();
        }
        switch (arguments[2]) {
            case "ended":
                shard.shardEnded(ShardEndedInput.builder().checkpointer(checkpointer).build());
                break;
            case "requested":
                shard.shutdownRequested(ShutdownRequestedInput.builder().checkpointer(checkpointer).build());
                break;
            default:
                shard.leaseLost(LeaseLostInput.builder().build());
        }
        System.exit(0);
    }

    private static String characters(String base64) {
        ByteBuffer bytes = ByteBuffer.wrap(Base64.getDecoder().decode(base64));
        StringBuilder text = new StringBuilder();
        while (bytes.hasRemaining()) {
            text.append(bytes.getChar()); // halves of surrogate pairs too
        }
        return text.toString();
    }
}
