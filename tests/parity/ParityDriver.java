import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's Java producer on a string: one JSON order per line on stdin, one JSON answer per line on stdout.
 * An exception is the answer {"error": simple class name, "message": ...}. Bytes are base64.
 */
public class ParityDriver {
    private static final ObjectMapper JSON = new ObjectMapper();
    private final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
    private final Map<String, List<Object>> sent = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        ParityDriver driver = new ParityDriver();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode answer;
            try {
                answer = driver.obey(JSON.readTree(line));
            } catch (Exception error) {
                answer = failure(error);
            }
            out.println(JSON.writeValueAsString(answer));
        }
        driver.producers.values().forEach(producer -> producer.close(Duration.ZERO));
    }

    private JsonNode obey(JsonNode order) throws Exception {
        String name = order.path("producer").asText();
        KafkaProducer<byte[], byte[]> producer = producers.get(name);
        switch (order.get("verb").asText()) {
            case "defaults":
                return defaults();
            case "read":
                return read(order);
            case "open":
                producers.put(name, new KafkaProducer<>(settings(order.get("settings"))));
                sent.put(name, new ArrayList<>());
                return ok();
            case "send":
                order.get("records").forEach(record -> sent.get(name).add(send(producer, record)));
                return ok();
            case "outcomes":
                ArrayNode outcomes = JSON.createArrayNode();
                for (Object each : sent.put(name, new ArrayList<>())) {
                    outcomes.add(outcome(each));
                }
                return outcomes;
            case "flush":
                producer.flush();
                return ok();
            case "close":
                producer.close(Duration.ofMillis(order.path("timeout_ms").asLong(20_000)));
                return ok();
            case "partitions_for":
                return JSON.valueToTree(producer.partitionsFor(order.get("topic").asText()).size());
            case "init_transactions":
                producer.initTransactions();
                return ok();
            case "begin_transaction":
                producer.beginTransaction();
                return ok();
            case "commit_transaction":
                producer.commitTransaction();
                return ok();
            case "abort_transaction":
                producer.abortTransaction();
                return ok();
            case "send_offsets_to_transaction":
                Map<TopicPartition, OffsetAndMetadata> offsets = Map.of(
                    new TopicPartition(order.get("topic").asText(), 0),
                    new OffsetAndMetadata(order.get("offset").asLong()));
                producer.sendOffsetsToTransaction(offsets, new ConsumerGroupMetadata(order.get("group").asText()));
                return ok();
            default:
                throw new IllegalArgumentException("unknown verb in " + order);
        }
    }

    /** Returns the future, or what send() threw. */
    private static Object send(KafkaProducer<byte[], byte[]> producer, JsonNode record) {
        try {
            ProducerRecord<byte[], byte[]> made = new ProducerRecord<>(
                record.get("topic").asText(),
                record.get("partition").isNull() ? null : record.get("partition").asInt(),
                record.get("timestamp_ms").isNull() ? null : record.get("timestamp_ms").asLong(),
                bytes(record.get("key")),
                bytes(record.get("value")));
            record.get("headers").forEach(pair -> made.headers().add(pair.get(0).asText(), bytes(pair.get(1))));
            return producer.send(made);
        } catch (Exception error) {
            return error;
        }
    }

    private static JsonNode outcome(Object each) throws InterruptedException {
        if (!(each instanceof Future)) {
            return failure((Exception) each).put("thrown", true);
        }
        try {
            RecordMetadata told = (RecordMetadata) ((Future<?>) each).get();
            return ok().put("partition", told.partition()).put("offset", told.offset());
        } catch (ExecutionException error) {
            return failure((Exception) error.getCause()).put("thrown", false);
        }
    }

    private static JsonNode defaults() {
        ObjectNode all = JSON.createObjectNode();
        for (ConfigDef.ConfigKey key : ProducerConfig.configDef().configKeys().values()) {
            Object value = key.hasDefault() ? key.defaultValue : "<required>";
            all.set(key.name, value == null || value instanceof Number || value instanceof Boolean
                ? JSON.valueToTree(value) : JSON.valueToTree(String.valueOf(value)));
        }
        return all;
    }

    private static JsonNode read(JsonNode order) {
        Map<String, Object> settings = settings(order.get("settings"));
        settings.put("isolation.level", order.get("isolation").asText());
        ArrayNode records = JSON.createArrayNode();
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(order.get("topic").asText())
                .forEach(each -> partitions.add(new TopicPartition(each.topic(), each.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                consumer.poll(Duration.ofMillis(100)).forEach(record -> records.add(read(record)));
            }
        }
        return records;
    }

    private static ObjectNode read(ConsumerRecord<byte[], byte[]> record) {
        ObjectNode told = ok().put("partition", record.partition()).put("offset", record.offset())
            .put("timestamp_ms", record.timestamp()).put("key", record.key()).put("value", record.value());
        ArrayNode headers = told.putArray("headers");
        for (Header header : record.headers()) {
            headers.addArray().add(header.key()).add(header.value());
        }
        return told;
    }

    private static Map<String, Object> settings(JsonNode given) {
        Map<String, Object> settings = new HashMap<>();
        given.fields().forEachRemaining(entry -> settings.put(entry.getKey(), entry.getValue().asText()));
        settings.put("key.serializer", ByteArraySerializer.class);
        settings.put("value.serializer", ByteArraySerializer.class);
        return settings;
    }

    private static byte[] bytes(JsonNode text) {
        return text.isNull() ? null : Base64.getDecoder().decode(text.asText());
    }

    private static ObjectNode ok() {
        return JSON.createObjectNode();
    }

    private static ObjectNode failure(Exception error) {
        return ok().put("error", error.getClass().getSimpleName())
            .put("message", String.valueOf(error.getMessage()))
            .put("code", Errors.forException(error).code());
    }
}
