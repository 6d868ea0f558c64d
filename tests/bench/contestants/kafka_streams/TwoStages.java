// The two stages and their windows with Kafka Streams, exactly once and without a model.
//
// A processor a stage keeps all windows of a key in one record of a cached store, so that a charge
// costs one read and one write a stage, and gets all windows at once; the window functions of the
// DSL give one window each and would have to be joined.

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

public final class TwoStages {
    private static final long[] WINDOWS_S = {600, 3600, 86_400, 7 * 86_400, 30 * 86_400};

    @JsonIgnoreProperties(ignoreUnknown = true)
    public static final class Charge {
        public String id;
        public String card;
        public String merchant;
        public String currency;
        public long amount;
        public double created;
        public double[] cardWindows;
        public double[] merchantWindows;
    }

    /** Tumbling windows in event time: when each began, its count and its sum. */
    static final class Windows {
        final long[] tile = new long[WINDOWS_S.length];
        final double[] count = new double[WINDOWS_S.length];
        final double[] sum = new double[WINDOWS_S.length];

        void add(Charge charge) {
            for (int w = 0; w < WINDOWS_S.length; w++) {
                long now = (long) (charge.created / WINDOWS_S[w]);
                if (now > tile[w]) {
                    tile[w] = now;
                    count[w] = 0;
                    sum[w] = 0;
                }
                count[w] += 1;
                sum[w] += charge.amount;
            }
        }

        double[] features() {
            double[] all = new double[2 * WINDOWS_S.length];
            System.arraycopy(count, 0, all, 0, WINDOWS_S.length);
            System.arraycopy(sum, 0, all, WINDOWS_S.length, WINDOWS_S.length);
            return all;
        }
    }

    static Serde<Windows> windowsSerde() {
        return Serdes.serdeFrom(
            (topic, windows) -> {
                ByteBuffer buffer = ByteBuffer.allocate(24 * WINDOWS_S.length);
                for (int w = 0; w < WINDOWS_S.length; w++) {
                    buffer.putLong(windows.tile[w]);
                    buffer.putDouble(windows.count[w]).putDouble(windows.sum[w]);
                }
                return buffer.array();
            },
            (topic, bytes) -> {
                ByteBuffer buffer = ByteBuffer.wrap(bytes);
                Windows windows = new Windows();
                for (int w = 0; w < WINDOWS_S.length; w++) {
                    windows.tile[w] = buffer.getLong();
                    windows.count[w] = buffer.getDouble();
                    windows.sum[w] = buffer.getDouble();
                }
                return windows;
            });
    }

    static Serde<Charge> chargeSerde() {
        ObjectMapper mapper = new ObjectMapper();
        return Serdes.serdeFrom(
            (topic, charge) -> {
                try {
                    return mapper.writeValueAsBytes(charge);
                } catch (IOException error) {
                    throw new UncheckedIOException(error);
                }
            },
            (topic, bytes) -> {
                try {
                    return mapper.readValue(bytes, Charge.class);
                } catch (IOException error) {
                    throw new UncheckedIOException(error);
                }
            });
    }

    /** Counts a charge in the windows of its key and forwards it under its next key. */
    static final class Stage implements Processor<String, Charge, String, Charge> {
        private final String store;
        private final boolean ofCards;
        private KeyValueStore<String, Windows> windows;
        private ProcessorContext<String, Charge> context;

        Stage(String store, boolean ofCards) {
            this.store = store;
            this.ofCards = ofCards;
        }

        @Override
        public void init(ProcessorContext<String, Charge> context) {
            this.context = context;
            this.windows = context.getStateStore(store);
        }

        @Override
        public void process(Record<String, Charge> record) {
            Charge charge = record.value();
            Windows own = windows.get(record.key());
            if (own == null) {
                own = new Windows();
            }
            own.add(charge);
            windows.put(record.key(), own);
            if (ofCards) {
                charge.cardWindows = own.features();
            } else {
                charge.merchantWindows = own.features();
            }
            context.forward(record.withKey(ofCards ? charge.merchant : charge.card));
        }
    }

    static ProcessorSupplier<String, Charge, String, Charge> stage(String name, boolean ofCards) {
        return new ProcessorSupplier<>() {
            @Override
            public Processor<String, Charge, String, Charge> get() {
                return new Stage(name, ofCards);
            }

            @Override
            public Set<StoreBuilder<?>> stores() {
                return Set.of(
                    Stores.keyValueStoreBuilder(
                            Stores.persistentKeyValueStore(name), Serdes.String(), windowsSerde())
                        .withCachingEnabled());
            }
        };
    }

    public static void main(String[] arguments) {
        String prefix = System.getenv("BENCH_PREFIX");
        int partitions = Integer.parseInt(System.getenv("BENCH_PARTITIONS"));
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(prefix + "charges", Consumed.with(Serdes.String(), chargeSerde()))
            .process(stage("cards", true))
            .repartition(
                Repartitioned.with(Serdes.String(), chargeSerde())
                    .withName("by-merchant")
                    .withNumberOfPartitions(partitions))
            .process(stage("merchants", false))
            .to(prefix + "scored", Produced.with(Serdes.String(), chargeSerde()));

        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, prefix + "kafka-streams");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("BENCH_SERVERS"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("BENCH_STATE"));
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 128 * 1024 * 1024);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
