# SPDX-License-Identifier: BSD-2-Clause
"""The client against a fake server, in a staged tree with stand-ins for jvm, loop and qemu-img."""
import concurrent.futures, contextlib, os, pwd, shutil, signal, socket, struct, subprocess, sys, tempfile, threading, time, unittest

CLIENT = None
# a command that needs the verb
COMMANDS = {"xsegbd-add": ["map", "v"], "xsegbd-remove": ["unmap", "v"], "xsegbd-refresh": ["resize", "v"],
            "nbd-attach": ["map", "v"], "nbd-detach": ["unmap", "v"], "nbd-resize": ["resize", "v"],
            "loop-attach": ["map", "v"], "loop-detach": ["unmap", "v"], "loop-resize": ["resize", "v"], "inspect": ["import", "f", "v"],
            "convert-in": ["import", "f", "v"], "convert-out": ["export", "v", "f"]}


def frame(kind, payload=b""):
    return kind + b"\0\0\0" + struct.pack("<I", len(payload)) + payload


def exit_code(n):
    return frame(b"X", struct.pack("<I", n))


def verb(*words):
    return frame(b"V", b"\0".join(w if isinstance(w, bytes) else w.encode() for w in words))


class Peer:
    """The server's side of one connection."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    def read(self, n):
        while len(self.buffer) < n:
            data = self.sock.recv(1 << 20)
            if not data:
                raise EOFError
            self.buffer += data
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def frame(self):
        head = self.read(8)
        assert head[1:4] == b"\0\0\0", head
        return head[:1], self.read(struct.unpack("<I", head[4:])[0])

    def request(self):
        assert self.read(8) == b"ARCTL001"
        got = []
        while not got or got[-1][0] != b"G":
            got.append(self.frame())
        return got

    def verb(self, *words):
        """Sends a verb, returns (status, output)."""
        self.sock.sendall(verb(*words))
        out = b""
        while True:
            kind, payload = self.frame()
            if kind == b"s":
                return struct.unpack("<I", payload)[0], out
            assert kind == b"o", kind
            out += payload


class ClientTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="client-test.")
        self.addCleanup(shutil.rmtree, self.root)
        os.chmod(self.root, 0o755)
        lib, bin_, ext = (os.path.join(self.root, d) for d in ("lib/archipelago", "bin", "extstorage/archipelago"))
        for d in (lib, bin_, ext, self.root + "/run", self.root + "/tools"):
            os.makedirs(d)
        shutil.copy(CLIENT, lib + "/client")
        for name in ("vlmc", "archipelago"):
            os.symlink("../lib/archipelago/client", f"{bin_}/{name}")
        for name in "create attach detach remove grow setinfo verify snapshot open close".split():
            os.symlink("../../lib/archipelago/client", f"{ext}/{name}")
        self.script(lib + "/jvm", 'echo "jvm $*"; env | grep -E "JAVA|LD_PRELOAD|CLASSPATH|^PATH=" | sort; exit 3')
        for helper in ("loop", "nbd"):
            self.script(f"{lib}/{helper}", f'echo "{helper} $*"; echo "{helper} stderr" >&2; ls /proc/self/fd | wc -l; exit 4')
        self.script(self.root + "/tools/qemu-img", 'printf "%s\\n" "$@" > "$ARCHIPELAGO_ROOT/qemu"; echo "{}"; exit 5')
        self.vlmc = bin_ + "/vlmc"
        self.env = {"PATH": self.root + "/tools:" + os.environ["PATH"], "ARCHIPELAGO_ROOT": self.root}

    @staticmethod
    def script(path, body):
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + body + "\n")
        os.chmod(path, 0o755)

    @contextlib.contextmanager
    def server(self, *talks, clients=1):
        """Serves so many clients at a time, in threads, each talk(peer) with a connection of its own; a failure fails the test."""
        path, failure = self.root + "/run/control.sock", []
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(4)
        os.chmod(path, 0o777)

        def serve():
            try:
                for talk in talks:
                    connection, _ = listener.accept()
                    with connection:
                        talk(Peer(connection))
            except BaseException as e:
                failure.append(e)
        threads = [threading.Thread(target=serve, daemon=True) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            for thread in threads:
                thread.join(20)
            listener.close()
            os.unlink(path)
        if failure:
            raise failure[0]

    def run_client(self, *argv, **options):
        options.setdefault("env", self.env)
        done = subprocess.run(argv or [self.vlmc, "list"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, **options)
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def answer(self, *frames, argv=(), **options):
        def talk(peer):
            self.asked = peer.request()
            with contextlib.suppress(BrokenPipeError):
                peer.sock.sendall(b"".join(frames))
        with self.server(talk):
            return self.run_client(*argv, **options)

    def ask(self, *words, argv=None, **options):
        """The client's answer to one verb: (status, output), and what it printed on stderr."""
        got = []

        def talk(peer):
            peer.request()
            got.append(peer.verb(*words))
            peer.sock.sendall(exit_code(0))
        with self.server(talk):
            code, _, err = self.run_client(*(argv or [self.vlmc, *COMMANDS[words[0]]]), **options)
        self.assertEqual(code, 0, err)
        return got[0], err

    # ---- the conversation ----

    def test_request(self):
        env = dict(self.env, VOL_NAME="v", EXTP_PROVIDER="archipelago", HOME="/x", LANG="C", LANGUAGE="de")
        code, out, err = self.answer(frame(b"K"), frame(b"O", b"out"), frame(b"R", b"err"), exit_code(7),
                                     argv=[self.vlmc, "create", "", "a b"], env=env, cwd="/tmp")
        self.assertEqual((code, out, err), (7, "out", "err"))
        kinds = [k for k, _ in self.asked]
        self.assertEqual(kinds[0], b"P")
        self.assertEqual([p for k, p in self.asked if k == b"P"], [b"vlmc"])
        self.assertEqual([p for k, p in self.asked if k == b"A"], [b"create", b"", b"a b"])
        self.assertEqual(sorted(p.split(b"=")[0] for k, p in self.asked if k == b"E"),
                         [b"ARCHIPELAGO_ROOT", b"EXTP_PROVIDER", b"LANG", b"VOL_NAME"])
        self.assertIn((b"W", b"/tmp"), self.asked)
        self.assertIn((b"T", b"0 0 0 80"), self.asked)

    def test_script_names(self):
        for action in ("create", "close"):
            self.answer(exit_code(0), argv=[f"{self.root}/extstorage/archipelago/{action}"])
            self.assertEqual([p for k, p in self.asked if k in b"PA"], [b"ext-storage", action.encode()])
        self.answer(exit_code(0), argv=[self.root + "/lib/archipelago/client", "archipelago", "status"])
        self.assertEqual([p for k, p in self.asked if k in b"PA"], [b"archipelago", b"status"])
        code, _, err = self.run_client(self.root + "/lib/archipelago/client", "rm")
        self.assertEqual(code, 64, err)

    def test_no_daemon_runs_jvm(self):
        env = dict(self.env, JAVA_TOOL_OPTIONS="x", LD_PRELOAD="", CLASSPATH="y", _JAVA_OPTIONS="z", JDK_JAVA_OPTIONS="q")
        code, out, _ = self.run_client(self.vlmc, "info", "a b", env=env)
        self.assertEqual((code, out), (3, "jvm vlmc info a b\nPATH=" + env["PATH"] + "\n"))
        code, out, _ = self.run_client(self.root + "/extstorage/archipelago/attach", env=env)
        self.assertEqual((code, out), (3, "jvm ext-storage attach\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"))
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.root + "/run/control.sock")   # bound, not listening: refused
            self.assertEqual(self.run_client()[0], 3)
        code, out, _ = self.run_client(self.root + "/bin/archipelago", "--debug", "restart", "x")
        self.assertEqual((code, out.splitlines()[0]), (3, "jvm archipelago --debug restart x"))
        os.unlink(self.root + "/lib/archipelago/jvm")
        code, _, err = self.run_client()
        self.assertEqual(code, 69)
        self.assertIn("incomplete", err)

    def test_bounds(self):
        for argv, env, code in (([self.vlmc] + ["x"] * 257, {}, 64), ([self.vlmc, "x" * 65537], {}, 64),
                                ([self.vlmc] + ["x" * 65000] * 17, {}, 64),
                                ([self.vlmc], {f"VOL_{i}": "" for i in range(257)}, 64),
                                ([self.vlmc], {"EXTP_A": "y" * 65536}, 64)):
            def talk(peer):
                with self.assertRaises(EOFError):
                    peer.request()
            with self.server(talk):
                got, out, err = self.run_client(*argv, env=dict(self.env, **env))
            self.assertEqual((got, out), (code, ""), err)
            self.assertLess(len(err), 300)
        code, _, err = self.answer(exit_code(0), argv=[self.vlmc] + ["x" * 65000] * 15 + ["y"] * 200)
        self.assertEqual(code, 0, err)

    def test_long_root(self):
        code, _, err = self.run_client(env=dict(self.env, ARCHIPELAGO_ROOT="/" + "x" * 120))
        self.assertEqual(code, 64, err)

    # ---- a daemon that comes or goes ----

    def state(self, phase, pid, start=None):
        with open(f"/proc/{pid}/stat") as f:
            start = start or f.read().rsplit(")", 1)[1].split()[19]
        with open(self.root + "/run/archipelagod.state", "w") as f:
            f.write(f'{{"pid":{pid},"start":{start},"phase":"{phase}","why":"","since":1,"roles":{{}}}}\n')

    def timed(self, *argv):
        start = time.monotonic()
        return self.run_client(*argv), time.monotonic() - start

    def test_gap_of_a_restart(self):
        """A daemon that is about to listen is waited for."""
        attach = f"{self.root}/extstorage/archipelago/attach"
        for phase, pid in (("STARTING", os.getpid()), ("RUNNING", os.getpid()), ("STOPPED", 1)):
            self.state(phase, pid)
            with concurrent.futures.ThreadPoolExecutor(1) as other:
                waiting = other.submit(self.timed, attach)
                time.sleep(0.7)
                with self.server(lambda peer: peer.request() and peer.sock.sendall(frame(b"O", b"out") + exit_code(0))):
                    (code, out, err), took = waiting.result()
            self.assertEqual((code, out), (0, "out"), (phase, err))
            self.assertLess(took, 2)

    def test_no_gap(self):
        """Nobody comes: no waiting, or not for long."""
        for phase, start in (("FAILED", None), ("RUNNING", 12345), ("STARTING", 12345)):
            self.state(phase, os.getpid(), start)
            (code, out, _), took = self.timed()
            self.assertEqual((code, took < 1), (3, True), phase)
        self.state("STOPPED", 1, 12345)
        (code, _, _), took = self.timed()
        self.assertEqual((code, 2 < took < 6), (3, True), took)
        self.assertLess(self.timed()[1], 1)
        self.state("RUNNING", os.getpid())   # about the daemon as it is
        (code, out, _), took = self.timed(self.root + "/bin/archipelago", "status")
        self.assertEqual((code, out.splitlines()[0], took < 1), (3, "jvm archipelago status", True))
        for text in ("", "{", "x" * 10000, '{"pid":99999999999999999999,"start":-1,"phase":"' + "A" * 600):
            with open(self.root + "/run/archipelagod.state", "w") as f:
                f.write(text)
            self.assertLess(self.timed()[1], 1)
        os.unlink(self.root + "/run/archipelagod.state")
        os.mkfifo(self.root + "/run/archipelagod.state")
        self.assertLess(self.timed()[1], 1)

    def test_stopping_daemon(self):
        """What it refuses since it stops is asked again of the next one."""
        answers = [frame(b"K") + frame(b"R", b"archipelagod: archipelagod is stopping\n") + exit_code(75),
                   frame(b"R", b"archipelagod is stopping: repeat the command when it runs again\n") + exit_code(75),
                   frame(b"O", b"out") + exit_code(0)]

        def talk(peer):
            peer.request()
            peer.sock.sendall(answers.pop(0))
        with self.server(talk, talk, talk):
            self.assertEqual(self.run_client(), (0, "out", ""))
        answers = [b"", frame(b"K") + exit_code(0)]    # it ended before the command began
        with self.server(talk, talk):
            self.assertEqual(self.run_client(), (0, "", ""))
        for archipelago, text in ((True, b"archipelagod is stopping\n"), (False, b"archipelagod is busy\n")):
            answers = [frame(b"R", text) + exit_code(75)]
            with self.server(talk):
                code, _, err = self.run_client(self.root + "/bin/archipelago" if archipelago else self.vlmc, "x")
            self.assertEqual((code, err.encode()), (75, text))
        answers = [frame(b"O", b"half") + frame(b"R", b"archipelagod is stopping\n") + exit_code(75)]   # something was done
        with self.server(talk):
            self.assertEqual(self.run_client(), (75, "half", "archipelagod is stopping\n"))

    # ---- hostile and dying servers ----

    def test_garbage(self):
        for data in (b"HTTP/1.1 400 Bad Request\r\n\r\n", os.urandom(4096).replace(b"\0", b"x"), frame(b"Z"), frame(b"K", b"x"),
                     frame(b"X", b"\1\0\0"), frame(b"X", b"\1\0\0\0\0"), exit_code(256), exit_code(0xffffffff),
                     b"O\0\0\0" + struct.pack("<I", 65537), b"O\0\0\0\xff\xff\xff\xff" + b"x" * 70000,
                     b"O\1\0\0" + struct.pack("<I", 1) + b"x", frame(b"s", b"\0\0\0\0"), verb("rm", "-rf"), verb("loop-attach"),
                     verb("loop-attach", "a", "b"), verb("loop-list"), verb("loop-resize", "a", "b"), verb(*"abcdefgh"), frame(b"V"), verb("attach", "a"),
                     verb("loop-attach loop-detach", "a")):
            code, out, err = self.answer(data)
            self.assertEqual((code, out), (70, ""), (data[:40], err))
            self.assertLess(err.count("\n"), 2)

    def test_largest_frames(self):
        code, out, err = self.answer(frame(b"O", b"x" * 65536) * 3, frame(b"R", b"y" * 65536), frame(b"O"), exit_code(255))
        self.assertEqual((code, len(out), len(err)), (255, 3 * 65536, 65536))

    def test_dies_half_way(self):
        for data in (frame(b"K"), frame(b"O", b"half"), b"O\0\0", frame(b"O", b"12345678")[:-3]):
            code, _, err = self.answer(data, argv=[self.vlmc, "create", "vol"])
            self.assertEqual(code, 75)
            self.assertIn("archipelagod went away while it worked on this (vlmc create vol); look at its log", err)
            self.assertIn("a create, snapshot, import or rename may have been done already", err)

    def test_early_answer(self):
        """A server may refuse before it has read all."""
        def talk(peer):
            peer.sock.sendall(frame(b"R", b"too many\n") + exit_code(9))
            peer.sock.shutdown(socket.SHUT_WR)
            time.sleep(0.3)
        with self.server(talk):
            code, _, err = self.run_client(self.vlmc, *["x" * 65000] * 12)
        self.assertEqual((code, err), (9, "too many\n"))

    def test_patience(self):
        """10 s for the first sign of life, more for the next ones."""
        def talk(peer):
            if (b"A", b"silent") in peer.request():
                with self.assertRaises(EOFError):
                    peer.frame()
            else:
                peer.sock.sendall(frame(b"K"))
                time.sleep(11)
                peer.sock.sendall(exit_code(0))
        with self.server(talk, clients=2):
            slow = subprocess.Popen([self.vlmc, "slow"], env=self.env, stdin=subprocess.DEVNULL)
            start = time.monotonic()
            code, _, err = self.run_client(self.vlmc, "silent")
            took = time.monotonic() - start
            self.assertEqual(slow.wait(20), 0)
        self.assertEqual(code, 75)
        self.assertIn("does not answer on " + self.root + "/run/control.sock for 10 s: it is stopped or overloaded", err)
        self.assertTrue(9 < took < 12, took)

    def test_signals(self):
        for s in (signal.SIGINT, signal.SIGTERM):
            gone = threading.Event()

            def talk(peer):
                peer.request()
                with self.assertRaises(EOFError):
                    peer.frame()
                gone.set()
            with self.server(talk):
                client = subprocess.Popen([self.vlmc, "list"], env=self.env, stdin=subprocess.DEVNULL)
                time.sleep(0.3)
                client.send_signal(s)
                self.assertEqual(client.wait(5), -s)
            self.assertTrue(gone.is_set())

    def test_reader_gone(self):
        def talk(peer):
            peer.request()
            for _ in range(50):
                peer.sock.sendall(frame(b"O", b"x" * 65536))
            peer.sock.sendall(exit_code(0))
        with self.server(talk):
            done = subprocess.run(f"{{ {self.vlmc} list; echo $? >&2; }} | head -c 1 >/dev/null", shell=True, env=self.env,
                                  stderr=subprocess.PIPE, timeout=20)
        self.assertEqual(done.stderr, b"0\n")

    def test_full_disk(self):
        def talk(peer):
            peer.request()
            peer.sock.sendall(frame(b"O", b"x") * 3 + exit_code(0))
        with self.server(talk), open("/dev/full", "w") as full:
            done = subprocess.run([self.vlmc, "list"], env=self.env, stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 74)
        self.assertEqual(done.stderr.count(b"No space left"), 1)

    # ---- verbs ----

    def test_helpers(self):
        for helper in ("loop", "nbd"):
            for action in ("attach", "detach", "resize"):
                got, err = self.ask(f"{helper}-{action}", "a.b_c+d:e@f-9")
                self.assertEqual(got, (4, f"{helper} {action} a.b_c+d:e@f-9\n4\n".encode()))   # 0 1 2 and ls's own
                self.assertEqual(err, f"{helper} stderr\n")
        self.assertEqual(self.ask("loop-attach", "x" * 80)[0][0], 4)

    def test_xsegbd_without_its_module(self):
        self.assertFalse(os.path.exists("/sys/bus/xsegbd"), "the module is loaded here: rmmod xsegbd, then test again")
        for action in ("add", "refresh"):
            got, err = self.ask("xsegbd-" + action, "v")
            self.assertEqual(got, (127, b""))
            self.assertIn("modprobe xsegbd", err)
        self.assertEqual(self.ask("xsegbd-remove", "v"), ((0, b""), ""))

    def test_hostile_names(self):
        for name in ("../x", "a;b", "", "x" * 81, ".", "-a", "a b", "a/b", "a\nb", "$(x)", b"\xff", "ä", "x" * 60000):
            for words in (("loop-attach", name), ("loop-detach", name), ("loop-resize", name), ("xsegbd-add", name), ("convert-in", "raw", "f", name),
                          ("convert-out", "raw", name, "f")):
                got, err = self.ask(*words)
                self.assertEqual(got, (78, b""), words)
                self.assertIn("no volume's name", err)
                self.assertLess(len(err), 400)
        self.assertFalse(os.path.exists(self.root + "/qemu"))

    def test_not_root(self):
        nobody = pwd.getpwnam("nobody").pw_uid
        got, err = self.ask("loop-attach", "a", user=nobody)
        self.assertEqual(got, (77, b""))
        self.assertIn("needs root", err)

    def test_convert(self):
        def said():
            with open(self.root + "/qemu") as f:
                return f.read().split("\n")[:-1]
        nbd = f"nbd:unix:{self.root}/run/img/vol.sock"
        got, _ = self.ask("convert-in", "qcow2", "im:age", "vol", argv=[self.vlmc, "import", "im:age"])
        self.assertEqual(got, (5, b""))
        self.assertEqual(said(), ["convert", "-m", "8", "-n", "-W", "-f", "qcow2", "-O", "raw", "./im:age", nbd])
        got, _ = self.ask("convert-out", "vmdk", "vol", "/tmp/x y", argv=[self.vlmc, "export", "--format", "vmdk", "vol", "/tmp/x y"])
        self.assertEqual(said(), ["convert", "-m", "8", "-f", "raw", "-O", "vmdk", nbd, "/tmp/x y"])
        got, _ = self.ask("inspect", "-x", argv=[self.vlmc, "-c", "conf", "import", "--", "-x", "vol"])
        self.assertEqual((got, said()), ((5, b"{}\n"), ["info", "--output=json", "./-x"]))

    def test_foreign_files(self):
        os.unlink(self.root + "/tools/qemu-img")
        for file in ("/etc/shadow", "f ", "F", "", "./f", "f\n"):
            for words in (("inspect", file), ("convert-in", "raw", file, "v"), ("convert-out", "raw", "v", file)):
                got, err = self.ask(*words)
                self.assertEqual(got, (78, b""), words)
                self.assertIn("refused", err)
        for form in ("", "raw qcow2", "luks", "raw,file.locking=off"):
            self.assertEqual(self.ask("convert-in", form, "f", "v")[0][0], 78)
        for argv, words in ((["import", "f", "v"], ("inspect", "v")),   # each is on the command line, as something else
                            (["import", "f", "v", "--format", "raw"], ("convert-in", "raw", "raw", "v")),
                            (["export", "v", "f"], ("convert-out", "raw", "v", "v")),
                            (["-c", "conf", "export", "v", "f"], ("convert-out", "raw", "v", "conf")),
                            (["export", "v", "-c", "conf"], ("convert-out", "raw", "v", "conf")),
                            (["export", "v"], ("convert-out", "raw", "v", "export"))):
            self.assertEqual(self.ask(*words, argv=[self.vlmc, *argv])[0], (78, b""), (argv, words))

    def test_verb_of_another_command(self):
        """A daemon that was taken over gets nothing done that the user's command does not need."""
        for name in ("tools/qemu-img", "lib/archipelago/loop"):
            self.script(f"{self.root}/{name}", 'touch "$ARCHIPELAGO_ROOT/ran"')
        files = {"import": ["f", "v"], "export": ["v", "f"]}
        words = [("loop-attach", "v"), ("loop-detach", "v"), ("loop-resize", "v"), ("inspect", "f"), ("convert-in", "raw", "f", "v"),
                 ("convert-out", "raw", "v", "f")]
        needs = {"map": words[:3], "unmap": words[1:2], "resize": words[2:3], "import": words[3:5], "export": words[5:], "list": [],
                 "info": [], "create": [], "-c": []}
        for command, needed in needs.items():
            for asked in words:
                got, err = self.ask(*asked, argv=[self.vlmc, command, *files.get(command, ["f"])])
                self.assertEqual((got[0], os.path.exists(self.root + "/ran")), (0, True) if asked in needed else (78, False), (command, asked))
                if asked not in needed:
                    self.assertIn(f'asks for "{asked[0]}", which this command does not need', err)
                else:
                    os.unlink(self.root + "/ran")
        for action, needed in {"attach": words[:3], "detach": words[1:2], "grow": words[2:3], "create": [], "remove": [], "open": []}.items():
            for asked in words:
                got, err = self.ask(*asked, argv=[f"{self.root}/extstorage/archipelago/{action}"])
                self.assertEqual(got[0], 0 if asked in needed else 78, (action, asked))
        self.assertEqual(self.ask("convert-out", "raw", "v", "create", argv=[f"{self.root}/extstorage/archipelago/create"])[0][0], 78)

    def test_no_qemu(self):
        got, err = self.ask("inspect", "f", env=dict(self.env, PATH="/nowhere"))
        self.assertEqual(got, (127, b""))
        self.assertIn("apt install qemu-utils", err)

    def test_long_output(self):
        self.script(self.root + "/lib/archipelago/loop", "head -c 65536 /dev/zero")
        self.assertEqual(self.ask("loop-attach", "v")[0], (0, bytes(65536)))
        self.script(self.root + "/lib/archipelago/loop", "exec head -c 65537 /dev/zero")
        self.assertEqual(self.ask("loop-attach", "v")[0], (79, b""))
        self.script(self.root + "/lib/archipelago/loop", "kill -9 $$")
        self.assertEqual(self.ask("loop-attach", "v")[0], (137, b""))

    def test_output_held_open(self):
        """By what the loop command left running, stuck in the kernel."""
        self.script(self.root + "/lib/archipelago/loop", "sleep 8 2>/dev/null & echo text; exit 4")
        start = time.monotonic()
        self.assertEqual(self.ask("loop-attach", "v")[0], (4, b"text\n"))
        self.assertLess(time.monotonic() - start, 5)

    def test_converter_ends_with_us(self):
        self.script(self.root + "/tools/qemu-img", 'echo $$ > "$ARCHIPELAGO_ROOT/pid"; exec sleep 50')

        def talk(peer):
            peer.request()
            peer.sock.sendall(verb("convert-in", "raw", "f", "v"))
            with self.assertRaises((EOFError, ConnectionResetError)):
                peer.frame()
        with self.server(talk):
            client = subprocess.Popen([self.vlmc, "import", "f", "v"], env=self.env, stdin=subprocess.DEVNULL)
            time.sleep(0.5)
            client.terminate()
            self.assertEqual(client.wait(5), -signal.SIGTERM)
        with open(self.root + "/pid") as f:
            proc = "/proc/" + f.read().strip()
        for _ in range(50):
            if not os.path.exists(proc):
                return
            time.sleep(0.1)
        self.fail("the converter still runs")

    def test_ignored_sigchld(self):
        got, _ = self.ask("loop-attach", "v", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual(got[0], 4)

    def test_speed(self):
        if os.path.basename(os.path.dirname(CLIENT)) == "asan":
            self.skipTest("it is measured as it is installed")

        def talk(peer):
            peer.request()
            peer.sock.sendall(exit_code(0))
        times = []
        for _ in range(40):
            with self.server(talk):
                start = time.perf_counter()
                pid = os.posix_spawn(self.vlmc, ["vlmc", "list"], self.env)
                os.waitpid(pid, 0)
                times.append(time.perf_counter() - start)
        times.sort()
        print(f"start to exit, this fake server included: median {times[20] * 1000:.2f} ms, best {times[0] * 1000:.2f} ms", file=sys.stderr)
        self.assertLess(times[0], 0.01)


if __name__ == "__main__":
    CLIENT = sys.argv.pop(1)
    unittest.main(verbosity=2)
