import java.io.BufferedReader;
import java.io.Console;
import java.io.InputStreamReader;
import java.lang.ref.Cleaner;
import java.lang.ref.SoftReference;
import java.lang.reflect.Proxy;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.text.NumberFormat;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.FormatStyle;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.ServiceLoader;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.IntStream;
import sun.misc.Signal;

/** What the Java virtual machine does of its own: java -cp stress.jar Stress WAY. Says "done" where it comes to its end. */
public class Stress {
  interface Way {
    void run() throws Exception;
  }

  static volatile Object kept;
  static volatile long sum;

  public static void main(String[] words) throws Exception {
    way(words.length > 0 ? words[0] : "").run();
    System.out.println("done");
  }

  static Way way(String word) {
    switch (word) {
      case "memory": return Stress::memory;
      case "collect": return Stress::collect;
      case "threads": return Stress::threads;
      case "parallel": return () -> sum = IntStream.range(0, 5_000_000).parallel().mapToLong(i -> i ^ sum).sum();
      case "jit": return Stress::jit;
      case "timers": return Stress::timers;
      case "exceptions": return Stress::exceptions;
      case "text": return Stress::text;
      case "loading": return Stress::loading;
      case "exit": return () -> System.exit(3);
      case "halt": return () -> Runtime.getRuntime().halt(4);
      case "elsewhere": return () -> { start(() -> System.exit(5)); Thread.sleep(60_000); };
      case "hooks": return () -> { hook(); System.exit(6); };
      case "daemon": return () -> start(() -> { for (;;) sum++; });
      case "uncaught": return () -> { throw new IllegalStateException("uncaught"); };
      case "thread": return () -> { Thread one = new Thread(() -> { throw new Error("in a thread"); }); one.start(); one.join(); };
      case "full": return Stress::full;
      case "deep": return () -> deep(0);
      case "terminated": return () -> signal("TERM");
      case "interrupted": return () -> signal("INT");
      case "hangup": return () -> signal("HUP");
      case "dump": return Stress::dump;
      case "handled": return Stress::handled;
      default: return () -> { };
    }
  }

  static Thread start(Runnable work) {
    Thread thread = new Thread(work);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  static void hook() {
    Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("in the hook")));
  }

  /** More garbage than the heap holds, from several threads, some of it kept for a while; memory outside the heap too. */
  static void memory() throws Exception {
    List<Thread> all = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      Thread one = new Thread(() -> {
        List<byte[]> some = new ArrayList<>();
        List<SoftReference<byte[]>> soft = new ArrayList<>();
        for (int round = 0; round < 3000; round++) {
          some.add(new byte[ThreadLocalRandom.current().nextInt(40_000)]);
          if (round % 10 == 0) soft.add(new SoftReference<>(new byte[30_000]));
          if (some.size() > 150) some.subList(0, 100).clear();
        }
        for (int round = 0; round < 50; round++) kept = ByteBuffer.allocateDirect(200_000);
        kept = some;
      });
      one.start();
      all.add(one);
    }
    for (Thread one : all) one.join();
    for (int i = 0; i < 5; i++) kept = new byte[12 << 20];
  }

  static void collect() throws Exception {
    Cleaner cleaner = Cleaner.create();
    for (int i = 0; i < 2000; i++) cleaner.register(new byte[1000], () -> sum++);
    for (int i = 0; i < 3; i++) {
      System.gc();
      Thread.sleep(20);
    }
    Runtime runtime = Runtime.getRuntime();
    sum = runtime.freeMemory() + runtime.totalMemory() + runtime.maxMemory() + runtime.availableProcessors();
  }

  static void threads() throws Exception {
    List<Thread> all = new ArrayList<>();
    CountDownLatch begun = new CountDownLatch(200);
    ReentrantLock lock = new ReentrantLock();
    for (int i = 0; i < 200; i++) {
      Thread one = new Thread(() -> {
        begun.countDown();
        for (int round = 0; round < 100; round++) {
          lock.lock();
          try { sum++; } finally { lock.unlock(); }
          synchronized (Stress.class) { sum++; }
          if (round % 20 == 0) Thread.yield();
        }
        LockSupport.parkNanos(1_000_000);
      }, "one of many " + i);
      one.setPriority(1 + i % 10);
      one.start();
      all.add(one);
    }
    begun.await();
    for (Thread one : all) one.join();
    waiting();
    BlockingQueue<Integer> queue = new LinkedBlockingQueue<>();
    ExecutorService pool = Executors.newCachedThreadPool();
    for (int i = 0; i < 20; i++) pool.submit(() -> queue.take());
    for (int i = 0; i < 20; i++) queue.add(i);
    pool.shutdown();
    pool.awaitTermination(10, TimeUnit.SECONDS);
    CompletableFuture.supplyAsync(() -> 1).thenApplyAsync(i -> i + 1).get();
  }

  static void waiting() throws Exception {
    Object monitor = new Object();
    Thread waiter = start(() -> {
      synchronized (monitor) {
        try { monitor.wait(); } catch (InterruptedException end) { sum++; }
      }
    });
    Thread parked = start(LockSupport::park);
    Thread.sleep(20);
    synchronized (monitor) { monitor.notifyAll(); }
    LockSupport.unpark(parked);
    waiter.join(5000);
    Thread sleeper = start(() -> {
      try { Thread.sleep(60_000); } catch (InterruptedException end) { sum++; }
    });
    sleeper.interrupt();
    sleeper.join();
    for (StackTraceElement[] trace : Thread.getAllStackTraces().values()) sum += trace.length;
  }

  public interface Shape { long area(int side); }
  static class Square implements Shape { public long area(int side) { return (long) side * side; } }
  public static class Line implements Shape { public Line() { } public long area(int side) { return 0; } }
  static class Dot implements Shape { public long area(int side) { return 1; } }

  /** Hot code is compiled, and thrown away when a new class disproves what the compiler took for granted. */
  static void jit() {
    Shape[] shapes = { new Square() };
    for (int round = 0; round < 3; round++) {
      long all = 0;
      for (int i = 0; i < 400_000; i++) all += shapes[i % shapes.length].area(i);
      sum += all;
      shapes = round == 0 ? new Shape[] { new Square(), new Line() } : new Shape[] { new Dot(), new Line(), new Square() };
    }
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 50_000; i++) text.append(String.format("%d%s", i, "x").hashCode());
    sum += text.length();
  }

  static void timers() throws Exception {
    Timer timer = new Timer();
    CountDownLatch ticks = new CountDownLatch(5);
    timer.schedule(new TimerTask() { public void run() { ticks.countDown(); } }, 1, 2);
    ScheduledExecutorService scheduler = Executors.newScheduledThreadPool(2);
    CountDownLatch more = new CountDownLatch(5);
    scheduler.scheduleAtFixedRate(more::countDown, 1, 3, TimeUnit.MILLISECONDS);
    ticks.await();
    more.await();
    timer.cancel();
    scheduler.shutdownNow();
    Thread.sleep(1);
    Thread.sleep(0, 500);
    sum = System.nanoTime() + System.currentTimeMillis() + ZonedDateTime.now().getNano();
  }

  static int deep(int depth) { return deep(depth + 1) + 1; }

  /** Faults that the machine turns into exceptions, and stacks that run over in threads of several sizes. */
  static void exceptions() throws Exception {
    int[] nothing = null;
    for (int i = 0; i < 30_000; i++) {
      try { sum += nothing[i]; } catch (NullPointerException fault) { sum++; }
      try { sum += 1 / (sum - sum); } catch (ArithmeticException fault) { sum++; }
      try { sum += new int[1][2].length + (int) (Object) "no number"; } catch (ClassCastException fault) { sum++; }
    }
    Runnable overflow = () -> { try { deep(0); } catch (StackOverflowError full) { sum++; } };
    overflow.run();
    for (long size : new long[] { 200_000, 2_000_000 }) {
      Thread one = new Thread(null, overflow, "deep", size);
      one.start();
      one.join();
    }
    try { kept = new long[Integer.MAX_VALUE]; } catch (OutOfMemoryError full) { sum++; }
    new Exception("printed").printStackTrace();
  }

  static void text() throws Exception {
    for (Locale locale : new Locale[] { Locale.getDefault(), Locale.GERMANY, Locale.JAPAN, new Locale("ar", "EG") }) {
      System.out.println(NumberFormat.getCurrencyInstance(locale).format(1234.5));
      System.out.println(LocalDate.of(2024, 2, 29).format(DateTimeFormatter.ofLocalizedDate(FormatStyle.FULL).withLocale(locale)));
    }
    for (String name : new String[] { "UTF-16", "windows-1252", "Big5", "EUC-JP", "IBM037" })
      sum += "text \u00e9 \u6f22".getBytes(Charset.forName(name)).length;
    sum += Charset.availableCharsets().size() + ZoneId.getAvailableZoneIds().size();
    System.err.println(ZoneId.systemDefault() + " " + Charset.defaultCharset() + " " + Locale.getDefault().getLanguage());
    for (int i = 0; i < 2000; i++) System.out.println("line " + i);
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) sum += line.length();
    Console console = System.console();
    if (console != null) console.printf("a terminal%n");
  }

  /** Classes from the jar by a loader of their own, of the platform, made at run time; services; native libraries of the platform. */
  static void loading() throws Exception {
    URL jar = Path.of(System.getProperty("java.class.path")).toUri().toURL();
    for (int i = 0; i < 3; i++)
      try (URLClassLoader loader = new URLClassLoader(new URL[] { jar }, null)) {
        Object line = loader.loadClass("Stress$Line").getDeclaredConstructor().newInstance();
        sum += line.hashCode();
        sum += loader.getResourceAsStream("Stress.class").readAllBytes().length;
      }
    Shape proxy = (Shape) Proxy.newProxyInstance(Stress.class.getClassLoader(), new Class<?>[] { Shape.class }, (self, method, args) -> 7L);
    sum += proxy.area(1);
    ServiceLoader.load(java.nio.file.spi.FileSystemProvider.class).forEach(provider -> sum++);
    for (String name : new String[] { "java.sql.Timestamp", "javax.xml.parsers.SAXParserFactory", "java.util.logging.Logger", "java.net.InetAddress" })
      Class.forName(name);
    System.loadLibrary("prefs");
    try { Class.forName("not.There"); } catch (ClassNotFoundException missing) { sum++; }
  }

  /** The heap is full and nobody catches it. */
  static void full() {
    List<long[]> all = new ArrayList<>();
    for (;;) all.add(new long[100_000]);
  }

  static void signal(String name) throws Exception {
    hook();
    Signal.raise(new Signal(name));
    Thread.sleep(60_000);
  }

  /** Waits for a SIGQUIT, which prints all threads, from outside. */
  static void dump() throws Exception {
    start(LockSupport::park);
    Thread.sleep(1200);
  }

  static void handled() throws Exception {
    CountDownLatch seen = new CountDownLatch(1);
    Signal.handle(new Signal("USR2"), signal -> seen.countDown());
    Signal.raise(new Signal("USR2"));
    seen.await();
  }
}
