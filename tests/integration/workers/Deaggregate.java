import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import software.amazon.kinesis.retrieval.AggregatorUtil;
import software.amazon.kinesis.retrieval.KinesisClientRecord;

/**
 * KCL's own de-aggregation as an oracle.
 *
 * Reads lines "start end data", the shard's hash range as decimals and a Kinesis record's data in base64. For each it prints one
 * line with "subSequenceNumber:partitionKey:explicitHashKey:data" for every user record that KCL would deliver, blank
 * separated, keys and data in base64 and "-" for no hash key.
 */
public class Deaggregate {
    public static void main(String[] arguments) throws Exception {
        AggregatorUtil aggregator = new AggregatorUtil();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] fields = line.split(" ");
            KinesisClientRecord record = KinesisClientRecord.builder()
                    .sequenceNumber("1")
                    .partitionKey("a")
                    .approximateArrivalTimestamp(Instant.EPOCH)
                    .data(ByteBuffer.wrap(Base64.getDecoder().decode(fields[2])))
                    .build();
            StringBuilder answer = new StringBuilder();
            for (KinesisClientRecord user :
                    aggregator.deaggregate(List.of(record), new BigInteger(fields[0]), new BigInteger(fields[1]))) {
                byte[] data = new byte[user.data().remaining()];
                user.data().get(data);
                answer.append(answer.length() == 0 ? "" : " ")
                        .append(user.subSequenceNumber())
                        .append(':')
                        .append(base64(user.partitionKey().getBytes(StandardCharsets.UTF_8)))
                        .append(':')
                        .append(user.explicitHashKey() == null ? "-" : user.explicitHashKey())
                        .append(':')
                        .append(base64(data));
            }
            out.println(answer);
        }
    }

    private static String base64(byte[] data) {
        return Base64.getEncoder().encodeToString(data);
    }
}
