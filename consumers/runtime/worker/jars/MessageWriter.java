package software.amazon.kinesis.multilang;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.multilang.messages.CheckpointMessage;
import software.amazon.kinesis.multilang.messages.InitializeMessage;
import software.amazon.kinesis.multilang.messages.LeaseLostMessage;
import software.amazon.kinesis.multilang.messages.Message;
import software.amazon.kinesis.multilang.messages.ShardEndedMessage;
import software.amazon.kinesis.multilang.messages.ShutdownRequestedMessage;
import software.amazon.kinesis.retrieval.KinesisClientRecord;

/**
 * Stands before KCL's class of this name on the daemon's class path (docs/decisions/0032).
 *
 * <p>KCL's own class makes a batch one String: a list of copies, Jackson's characters, the String, and its bytes, which only a log
 * message asks for. For 10 MiB of records that is 64 MiB of heap, for each shard at once. Here a batch goes into the pipe record
 * by record, as the same JSON.
 */
class MessageWriter {
    /** How much of a batch is encoded while the shard's process still works on the one before. */
    private static final int MOST_BYTES_AHEAD = 4 << 20;
    /** A record's JSON without its data, and what comes before the first. */
    private static final int AROUND_BYTES = 256;

    private ObjectMapper mapper;
    private ExecutorService threads;
    private OutputStream pipe;
    private String shard;
    private volatile boolean open = true;

    MessageWriter initialize(OutputStream pipe, String shard, ObjectMapper mapper, ExecutorService threads) {
        this.pipe = pipe;
        this.shard = shard;
        this.mapper = mapper;
        this.threads = threads;
        return this;
    }

    Future<Boolean> writeInitializeMessage(InitializationInput input) {
        return write(new InitializeMessage(input));
    }

    Future<Boolean> writeProcessRecordsMessage(ProcessRecordsInput batch) {
        long bytes = batch.records().stream().mapToLong(it -> AROUND_BYTES + it.data().remaining() * 4L / 3).sum();
        return submit((int) Math.min(MOST_BYTES_AHEAD, AROUND_BYTES + bytes), json -> write(json, batch));
    }

    Future<Boolean> writeLeaseLossMessage(LeaseLostInput input) {
        return write(new LeaseLostMessage());
    }

    Future<Boolean> writeShardEndedMessage(ShardEndedInput input) {
        return write(new ShardEndedMessage());
    }

    Future<Boolean> writeShutdownRequestedMessage() {
        return write(new ShutdownRequestedMessage());
    }

    Future<Boolean> writeCheckpointMessageWithError(String sequenceNumber, Long subSequenceNumber, Throwable error) {
        return write(new CheckpointMessage(sequenceNumber, subSequenceNumber, error));
    }

    void close() throws IOException {
        open = false;
        pipe.close();
    }

    boolean isOpen() {
        return open;
    }

    private interface Encoding {
        void into(JsonGenerator json) throws IOException;
    }

    private Future<Boolean> write(Message message) {
        return submit(AROUND_BYTES, json -> json.writeObject(message));
    }

    /** One line; the answer is whether the process still reads. */
    private Future<Boolean> submit(int bytesAhead, Encoding message) {
        if (!open) {
            throw new IllegalStateException("the pipe to the process of " + shard + " is closed");
        }
        return threads.submit(() -> {
            try {
                synchronized (pipe) {
                    JsonGenerator json = mapper.getFactory().createGenerator(new BufferedOutputStream(pipe, bytesAhead));
                    json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
                    message.into(json);
                    json.writeRaw('\n');
                    json.close(); // flushes both buffers and the pipe
                }
            } catch (IOException closed) {
                open = false;
            }
            return open;
        });
    }

    private static void write(JsonGenerator json, ProcessRecordsInput batch) throws IOException {
        json.writeStartObject();
        json.writeStringField("action", "processRecords");
        json.writeArrayFieldStart("records");
        for (KinesisClientRecord record : batch.records()) {
            write(json, record);
        }
        json.writeEndArray();
        json.writeObjectField("millisBehindLatest", batch.millisBehindLatest()); // null after a closed shard's last record
        json.writeEndObject();
    }

    private static void write(JsonGenerator json, KinesisClientRecord record) throws IOException {
        json.writeStartObject();
        json.writeStringField("action", "record");
        // the JDK's encoder is vectorised, Jackson's is not
        byte[] data = Base64.getEncoder().encode(bytes(record.data()));
        json.writeFieldName("data");
        json.writeRawUTF8String(data, 0, data.length);
        // half of a surrogate pair becomes a question mark, as in KCL's class; Jackson alone would refuse the batch
        byte[] key = record.partitionKey().getBytes(StandardCharsets.UTF_8);
        json.writeFieldName("partitionKey");
        json.writeUTF8String(key, 0, key.length);
        json.writeStringField("sequenceNumber", record.sequenceNumber());
        json.writeNumberField("approximateArrivalTimestamp", record.approximateArrivalTimestamp().toEpochMilli());
        json.writeNumberField("subSequenceNumber", record.subSequenceNumber());
        json.writeEndObject();
    }

    private static byte[] bytes(ByteBuffer data) {
        byte[] bytes = new byte[data.remaining()];
        data.duplicate().get(bytes);
        return bytes;
    }
}
