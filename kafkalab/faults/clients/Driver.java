import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** A Kafka producer that takes orders on stdin, one a line, and tells outcomes on stdout. */
public final class Driver {
    private static final Duration CLOSE = Duration.ofSeconds(2);

    public static void main(String[] settings) throws Exception {
        Properties properties = new Properties();
        for (String setting : settings) {
            String[] pair = setting.split("=", 2);
            properties.put(pair[0], pair[1]);
        }
        ByteArraySerializer bytes = new ByteArraySerializer();
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties, bytes, bytes);
        say("done");
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = orders.readLine(); line != null && !line.equals("close"); line = orders.readLine()) {
            if (line.startsWith("send ")) {
                send(producer, line.split(" ", 5));
            } else {
                obey(producer, line);
            }
        }
        producer.close(CLOSE);
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, String[] order) {
        byte[] value = order[4].getBytes(StandardCharsets.UTF_8);
        try {
            producer.send(new ProducerRecord<>(order[2], Integer.valueOf(order[3]), null, value), (told, error) -> {
                if (error == null) {
                    say("acked " + order[1] + " " + told.partition() + " " + told.offset());
                } else {
                    say("failed " + order[1] + " " + words(error));
                }
            });
        } catch (RuntimeException error) {
            say("failed " + order[1] + " " + words(error));
        }
    }

    private static void obey(KafkaProducer<byte[], byte[]> producer, String verb) {
        try {
            switch (verb) {
                case "flush" -> producer.flush();
                case "init" -> producer.initTransactions();
                case "begin" -> producer.beginTransaction();
                case "commit" -> producer.commitTransaction();
                case "abort" -> producer.abortTransaction();
                default -> throw new IllegalArgumentException(verb);
            }
            say("done");
        } catch (RuntimeException error) {
            say("error " + words(error));
        }
    }

    private static String words(Exception error) {
        return (error.getClass().getSimpleName() + ": " + error.getMessage()).replace('\n', ' ');
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
