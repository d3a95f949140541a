import org.apache.kafka.tools.ProducerPerformance;

/**
 * Runs Kafka's own ProducerPerformance several times in one JVM: the first run is cold, the last one warm.
 * (Its option --warmup-records puts no flush between warm-up and measurement, so the records that still wait in
 * the 32 MB buffer are paid for by the measured ones.)
 */
public class WarmPerformance {
    public static void main(String[] arguments) throws Exception {
        int runs = Integer.parseInt(arguments[0]);
        String[] passedOn = java.util.Arrays.copyOfRange(arguments, 1, arguments.length);
        for (int run = 0; run < runs; run++) {
            System.out.println("run " + run);
            ProducerPerformance.main(passedOn);
        }
    }
}
