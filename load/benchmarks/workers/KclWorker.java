import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.common.KinesisClientUtil;
import software.amazon.kinesis.coordinator.CoordinatorConfig.ClientVersionConfig;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.exceptions.InvalidStateException;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * A KCL worker as a Java team writes it: de-aggregation by KCL, JSON by Jackson, counts in memory, a checkpoint a second.
 *
 * Arguments: application, stream, worker id, Kinesis's URL, DynamoDB's URL, folder. In the folder each shard has a file with the
 * number of events that it has folded.
 */
public class KclWorker {
    public static void main(String[] given) {
        Region region = Region.US_EAST_1;
        DefaultCredentialsProvider credentials = DefaultCredentialsProvider.create();
        KinesisAsyncClient kinesis = KinesisClientUtil.createKinesisAsyncClient(KinesisAsyncClient.builder()
                .region(region)
                .credentialsProvider(credentials)
                .endpointOverride(URI.create(given[3])));
        DynamoDbAsyncClient dynamo = DynamoDbAsyncClient.builder()
                .region(region)
                .credentialsProvider(credentials)
                .endpointOverride(URI.create(given[4]))
                .build();
        // KCL wants one; with metrics off it is never called
        CloudWatchAsyncClient cloudWatch = CloudWatchAsyncClient.builder()
                .region(region)
                .credentialsProvider(credentials)
                .endpointOverride(URI.create(given[4]))
                .build();
        Path folder = Path.of(given[5]);
        ConfigsBuilder configs = new ConfigsBuilder(
                new SingleStreamTracker(
                        given[1], InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON)),
                given[0],
                kinesis,
                dynamo,
                cloudWatch,
                given[2],
                () -> new Counting(folder));
        PollingConfig polling = new PollingConfig(given[1], kinesis).maxRecords(10_000).idleTimeBetweenReadsInMillis(250);
        new Scheduler(
                        configs.checkpointConfig(),
                        configs.coordinatorConfig()
                                .parentShardPollIntervalMillis(1000)
                                .skipShardSyncAtWorkerInitializationIfLeasesExist(true)
                                .clientVersionConfig(ClientVersionConfig.CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X),
                        configs.leaseManagementConfig()
                                .failoverTimeMillis(2000)
                                .leaseAssignmentIntervalMillis(1000L)
                                .shardSyncIntervalMillis(1000),
                        configs.lifecycleConfig(),
                        configs.metricsConfig().metricsFactory(new NullMetricsFactory()),
                        configs.processorConfig(),
                        configs.retrievalConfig().retrievalSpecificConfig(polling))
                .run();
    }

    private static final class Counting implements ShardRecordProcessor {
        private final Path folder;
        private final Shop shop = new Shop();
        private Path file;
        private long checkpointed = System.nanoTime();
        private boolean behind;

        Counting(Path folder) {
            this.folder = folder;
        }

        @Override
        public void initialize(InitializationInput input) {
            file = folder.resolve(input.shardId());
            write(file, "0");
        }

        @Override
        public void processRecords(ProcessRecordsInput input) {
            List<KinesisClientRecord> records = input.records();
            for (KinesisClientRecord record : records) {
                shop.fold(bytes(record.data()), record.partitionKey(), record.approximateArrivalTimestamp().toEpochMilli());
            }
            if (!records.isEmpty()) {
                behind = true;
                write(file, String.valueOf(shop.events() + shop.refused()));
            }
            if (behind && System.nanoTime() - checkpointed > 1_000_000_000L) checkpoint(input.checkpointer());
        }

        @Override
        public void leaseLost(LeaseLostInput input) {
            System.err.println("lease lost");
        }

        @Override
        public void shardEnded(ShardEndedInput input) {
            checkpoint(input.checkpointer());
        }

        @Override
        public void shutdownRequested(ShutdownRequestedInput input) {
            checkpoint(input.checkpointer());
            System.err.println(shop.events() + " events, " + shop.refused() + " refused, " + shop.answer());
        }

        private void checkpoint(RecordProcessorCheckpointer checkpointer) {
            try {
                checkpointer.checkpoint();
                checkpointed = System.nanoTime();
                behind = false;
            } catch (ShutdownException | InvalidStateException error) {
                System.err.println("no checkpoint: " + error);
            }
        }

        private static byte[] bytes(ByteBuffer data) {
            if (data.hasArray() && data.arrayOffset() == 0 && data.remaining() == data.array().length) return data.array();
            byte[] copy = new byte[data.remaining()];
            data.get(copy);
            return copy;
        }

        /** A reader never sees half of it. */
        private static void write(Path file, String text) {
            try {
                Path fresh = file.resolveSibling("../" + file.getFileName() + ".new");
                Files.writeString(fresh, text);
                Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }
    }
}
