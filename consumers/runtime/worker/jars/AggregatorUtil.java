package software.amazon.kinesis.retrieval;

import com.google.protobuf.InvalidProtocolBufferException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import software.amazon.kinesis.retrieval.kpl.Messages.AggregatedRecord;
import software.amazon.kinesis.retrieval.kpl.Messages.Record;

/**
 * Stands before KCL's class of this name on the daemon's class path (docs/decisions/0028).
 *
 * <p>KCL's own class describes an aggregate that it cannot take apart with javax.xml.bind, which Java 11 no longer has: the JVM
 * ends, and again after every start. Where that class is present, KCL delivers the members before the fault and says nothing of
 * the rest. Here an aggregate is delivered whole or, when anything is wrong with it, as the one record that was put, which the
 * shard's process makes a dead letter. clickstream/records/aggregation.py keeps the same rules.
 */
public class AggregatorUtil {
    public static final byte[] AGGREGATED_RECORD_MAGIC = {(byte) 0xf3, (byte) 0x89, (byte) 0x9a, (byte) 0xc2};
    private static final int DIGEST_BYTES = 16;
    private static final BigInteger LAST_HASH_KEY = BigInteger.ONE.shiftLeft(128).subtract(BigInteger.ONE);
    private static final Pattern HASH_KEY = Pattern.compile("[0-9]{1,39}");

    public List<KinesisClientRecord> deaggregate(List<KinesisClientRecord> records) {
        return deaggregate(records, BigInteger.ZERO, LAST_HASH_KEY);
    }

    public List<KinesisClientRecord> deaggregate(List<KinesisClientRecord> records, String first, String last) {
        return deaggregate(records, new BigInteger(first), new BigInteger(last));
    }

    /** Drops an aggregate whole when one of its keys hashes outside of [first, last], as KCL does. */
    public List<KinesisClientRecord> deaggregate(List<KinesisClientRecord> records, BigInteger first, BigInteger last) {
        boolean everywhere = first.signum() == 0 && last.equals(LAST_HASH_KEY);
        List<KinesisClientRecord> delivered = new ArrayList<>();
        for (KinesisClientRecord record : records) {
            List<KinesisClientRecord> members = opened(record.data()).map(it -> members(record, it)).orElse(List.of(record));
            if (members.get(0) == record || everywhere || members.stream().allMatch(it -> isWithin(it, first, last))) {
                delivered.addAll(members);
            }
        }
        return delivered;
    }

    /** The aggregate in a record's data, if it is a sound one with at least one member. */
    private static Optional<AggregatedRecord> opened(ByteBuffer data) {
        ByteBuffer rest = data.duplicate(); // the record's own must stay where it is: it may be delivered as it came
        byte[] magic = new byte[AGGREGATED_RECORD_MAGIC.length];
        if (rest.remaining() < magic.length + DIGEST_BYTES) {
            return Optional.empty();
        }
        rest.get(magic);
        if (!Arrays.equals(magic, AGGREGATED_RECORD_MAGIC)) {
            return Optional.empty();
        }
        byte[] message = new byte[rest.remaining() - DIGEST_BYTES];
        byte[] digest = new byte[DIGEST_BYTES];
        rest.get(message).get(digest);
        if (!Arrays.equals(md5(message), digest)) {
            return Optional.empty();
        }
        try {
            return Optional.of(AggregatedRecord.parseFrom(message)).filter(AggregatorUtil::isSound);
        } catch (InvalidProtocolBufferException broken) {
            return Optional.empty();
        }
    }

    private static boolean isSound(AggregatedRecord aggregate) {
        int keys = aggregate.getPartitionKeyTableCount();
        int hashKeys = aggregate.getExplicitHashKeyTableCount();
        return aggregate.getRecordsCount() > 0
                && IntStream.range(0, keys).allMatch(it -> aggregate.getPartitionKeyTableBytes(it).isValidUtf8())
                && IntStream.range(0, hashKeys).allMatch(it -> aggregate.getExplicitHashKeyTableBytes(it).isValidUtf8())
                && aggregate.getRecordsList().stream().allMatch(it -> isIndex(it.getPartitionKeyIndex(), keys)
                        && (!it.hasExplicitHashKeyIndex()
                                || isIndex(it.getExplicitHashKeyIndex(), hashKeys) && isHashKey(hashKey(aggregate, it))));
    }

    private static boolean isIndex(long index, int count) {
        return 0 <= index && index < count; // what is unsigned and too large for a long is negative here
    }

    private static boolean isHashKey(String text) {
        return HASH_KEY.matcher(text).matches() && new BigInteger(text).compareTo(LAST_HASH_KEY) <= 0;
    }

    private static String hashKey(AggregatedRecord aggregate, Record member) {
        return member.hasExplicitHashKeyIndex()
                ? aggregate.getExplicitHashKeyTable((int) member.getExplicitHashKeyIndex())
                : null;
    }

    private static List<KinesisClientRecord> members(KinesisClientRecord record, AggregatedRecord aggregate) {
        List<KinesisClientRecord> members = new ArrayList<>(aggregate.getRecordsCount());
        for (Record member : aggregate.getRecordsList()) {
            members.add(record.toBuilder()
                    .data(ByteBuffer.wrap(member.getData().toByteArray()))
                    .partitionKey(aggregate.getPartitionKeyTable((int) member.getPartitionKeyIndex()))
                    .explicitHashKey(hashKey(aggregate, member))
                    .subSequenceNumber(members.size())
                    .aggregated(true)
                    .build());
        }
        return members;
    }

    private static boolean isWithin(KinesisClientRecord member, BigInteger first, BigInteger last) {
        BigInteger hash = member.explicitHashKey() == null
                ? new BigInteger(1, md5(member.partitionKey().getBytes(StandardCharsets.UTF_8)))
                : new BigInteger(member.explicitHashKey());
        return hash.compareTo(first) >= 0 && hash.compareTo(last) <= 0;
    }

    private static byte[] md5(byte[] data) {
        try {
            return MessageDigest.getInstance("MD5").digest(data);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
