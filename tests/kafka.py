"""A real Kafka broker for tests: the one that librdkafka brings along, on loopback, in memory.

It keeps 100,000 records or 5 MB of each partition, and forgets the oldest. It knows no TLS, no
passwords and no transactions. The Python package does not offer its handles, so they are called.
"""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import files

import confluent_kafka  # loads what the library needs


@cache
def _library() -> ctypes.CDLL:
    assert confluent_kafka.libversion()
    [path] = [file for file in files("confluent-kafka") or [] if "librdkafka-" in file.name]
    library = ctypes.CDLL(str(path.locate()))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


class Kafka:
    """One broker. Topics are made by the test, not by whoever asks for them."""

    def __init__(self) -> None:
        self._calls = _library()
        told = ctypes.create_string_buffer(512)
        configuration = ctypes.c_void_p(self._calls.rd_kafka_conf_new())
        quiet = [b"log_level", b"0", told, ctypes.c_size_t(len(told))]
        self._calls.rd_kafka_conf_set(configuration, *quiet)
        producer = self._calls.rd_kafka_new(0, configuration, told, ctypes.c_size_t(len(told)))
        assert producer, told.value
        self._handle = ctypes.c_void_p(producer)
        self._cluster = ctypes.c_void_p(self._calls.rd_kafka_mock_cluster_new(self._handle, 1))
        self.address = self._calls.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def make_topic(self, name: str, partitions: int = 4) -> str:
        made = self._calls.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        assert made == 0, f"error {made}"
        return name

    def advertise(self, host: str, port: int) -> None:
        """Say from now on that the broker is there."""
        self._calls.rd_kafka_mock_broker_set_host_port(self._cluster, 1, host.encode(), port)

    def answer_with(self, api: int, errors: Sequence[int]) -> None:
        """Answer the next requests of this kind with these errors."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._calls.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(api), ctypes.c_size_t(len(errors)), codes
        )

    def forget(self, topic: str, partition: int, before: int) -> None:
        """Delete the records of a partition before this offset."""
        done = self._calls.rd_kafka_mock_partition_delete_records(
            self._cluster, topic.encode(), partition, ctypes.c_int64(before)
        )
        assert done == 0, f"error {done}"

    def stop(self) -> None:
        """No connection, until it starts again."""
        self._calls.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def start(self) -> None:
        self._calls.rd_kafka_mock_broker_set_up(self._cluster, 1)

    def end(self) -> None:
        self._calls.rd_kafka_mock_cluster_destroy(self._cluster)
        self._calls.rd_kafka_destroy(self._handle)


@contextmanager
def a_kafka() -> Iterator[Kafka]:
    kafka = Kafka()
    try:
        yield kafka
    finally:
        kafka.end()
