import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Partitioner;
import org.apache.kafka.clients.producer.ProducerInterceptor;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.serialization.Serializer;

/**
 * Sends "hot" (key "k"), then "cold" to partition 0, and prints which step saw what, one line each: step and value,
 * on the application's thread or on another one. Arguments: bootstrap servers, topic.
 */
public class ParitySteps {
    private static final List<String> SEEN = new CopyOnWriteArrayList<>();
    private static Thread application;

    private static void saw(String step, Object value) {
        SEEN.add(step + " " + value + (Thread.currentThread() == application ? "" : " elsewhere"));
    }

    public static class Interceptor implements ProducerInterceptor<String, String> {
        public ProducerRecord<String, String> onSend(ProducerRecord<String, String> record) {
            saw("interceptor", record.value());
            return new ProducerRecord<>(record.topic(), record.partition(), record.key(), record.value() + "!");
        }

        public void onAcknowledgement(RecordMetadata metadata, Exception error) {
            saw("acknowledged", metadata.partition());
        }

        public void close() { }

        public void configure(Map<String, ?> settings) { }
    }

    public static class Keys implements Serializer<String> {
        public byte[] serialize(String topic, String key) {
            saw("key", key);
            return key.getBytes();
        }
    }

    public static class Values implements Serializer<String> {
        public byte[] serialize(String topic, String value) {
            saw("value", value);
            return value.getBytes();
        }
    }

    public static class ByValue implements Partitioner {
        public int partition(String topic, Object key, byte[] k, Object value, byte[] v, Cluster cluster) {
            saw("partitioner", value);
            return ((String) value).startsWith("hot") ? 2 : 1;
        }

        public void close() { }

        public void configure(Map<String, ?> settings) { }
    }

    public static void main(String[] arguments) throws Exception {
        application = Thread.currentThread();
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", arguments[0],
            "interceptor.classes", Interceptor.class.getName(),
            "key.serializer", Keys.class.getName(),
            "value.serializer", Values.class.getName(),
            "partitioner.class", ByValue.class.getName());
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings)) {
            producer.send(new ProducerRecord<>(arguments[1], "k", "hot"), (told, error) -> saw("callback", told.partition()))
                .get();
            producer.send(new ProducerRecord<>(arguments[1], 0, "c", "cold")).get();
        }
        SEEN.forEach(System.out::println);
    }
}
