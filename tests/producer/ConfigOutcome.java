import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;
import java.util.HashMap;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** For each line of `name=value` pairs on stdin: what Kafka's ProducerConfig makes of it. */
public class ConfigOutcome {
    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null; ) {
            Map<String, Object> settings = new HashMap<>();
            settings.put("bootstrap.servers", "localhost:9092");
            settings.put("key.serializer", ByteArraySerializer.class);
            settings.put("value.serializer", ByteArraySerializer.class);
            for (String pair : line.trim().split(";")) {
                if (!pair.isEmpty()) {
                    settings.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
                }
            }
            try {
                ProducerConfig config = new ProducerConfig(settings);
                System.out.println(config.getBoolean("enable.idempotence") ? "on" : "off");
            } catch (Exception error) {
                System.out.println("refused: " + error.getMessage());
            }
        }
    }
}
