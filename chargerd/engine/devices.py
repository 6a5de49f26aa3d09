"""Devices: what the state becomes when one answers, fails, is lost, comes back, is found, tested or taken out."""

from __future__ import annotations

from msgspec import structs

from chargerd.engine.draft import Draft
from chargerd.model.events import (
    ChargerRead,
    DeviceAdded,
    DeviceBack,
    DeviceLost,
    DeviceRemoved,
    Event,
    LeaseTestBegun,
    LeaseTested,
    ReadFailed,
)
from chargerd.model.state import Device, Proof


def answered(draft: Draft, source: str) -> None:
    """It has answered with what is no reading of a charger."""
    device = draft.devices.get(source)
    if device is None or not device.reachable or device.failing_since_ms is not None or not device.heard:
        draft.devices[source] = heard(device or Device())


def heard(device: Device, read: ChargerRead | None = None) -> Device:
    """A device that has answered. A test of its timer that was cut short is over when the socket is seen to be off."""
    over = read is not None and device.testing == read.channel and read.enabled is False
    testing = None if over else device.testing
    return structs.replace(
        device, heard=True, reachable=True, failing_since_ms=None, error="", detail="", testing=testing
    )


def read_failed(draft: Draft, event: Event, fact: ReadFailed) -> None:
    device = draft.devices.get(event.source, Device())
    since_ms = event.at_ms if device.failing_since_ms is None else device.failing_since_ms
    draft.devices[event.source] = structs.replace(
        device,
        heard=True,
        reachable=fact.error == "unexpected-answer",
        error=fact.error,
        detail=fact.detail,
        failing_since_ms=since_ms,
        failed_seq=event.seq,
    )


def device_lost(draft: Draft, event: Event, fact: DeviceLost) -> None:
    device = draft.devices.get(event.source, Device())
    draft.devices[event.source] = structs.replace(
        device, lost_since_ms=event.at_ms - fact.silent_ms, error=fact.error, detail=fact.detail
    )


def device_back(draft: Draft, event: Event, _: DeviceBack) -> None:
    device = draft.devices.get(event.source, Device())
    draft.devices[event.source] = structs.replace(device, lost_since_ms=None, back_seq=event.seq)


def device_added(draft: Draft, event: Event, fact: DeviceAdded) -> None:
    device = draft.devices.get(event.source, Device())
    draft.devices[event.source] = structs.replace(
        device,
        driver=fact.driver,
        model=fact.model,
        device_id=fact.device_id,
        firmware=fact.firmware,
        channels=fact.channels,
        accepts=fact.accepts,
        lease=fact.lease,
        has_meter=fact.has_meter,
        switch_at=fact.switch_at,
        min_current_a=fact.min_current_a,
        max_current_a=fact.max_current_a,
        current_step_a=fact.current_step_a,
        max_phases=fact.max_phases,
        pause_s=fact.pause_s,
        lease_current_a=fact.lease_current_a,
        has_pilot=fact.has_pilot,
        lease_max_s=fact.lease_max_s,
    )


def device_removed(draft: Draft, event: Event, _: DeviceRemoved) -> None:
    draft.devices.pop(event.source, None)
    for kept in (draft.chargers, draft.meters, draft.storages):
        for address in [a for a in kept if a.partition("/")[0] == event.source]:
            del kept[address]


def lease_test_begun(draft: Draft, event: Event, fact: LeaseTestBegun) -> None:
    device = draft.devices.get(event.source)
    if device is not None:
        draft.devices[event.source] = structs.replace(device, testing=fact.channel)


def lease_tested(draft: Draft, event: Event, fact: LeaseTested) -> None:
    device = draft.devices.get(event.source)
    if device is None:
        return
    proofs = device.proofs
    if fact.result in ("proven", "disproven"):
        proofs = {**proofs, fact.channel: Proof(fact.result == "proven", event.at_ms, device.firmware)}
    # Until it is read: what is left on, if anything, is ours and not somebody's button.
    draft.devices[event.source] = structs.replace(device, proofs=proofs, testing=fact.channel)
