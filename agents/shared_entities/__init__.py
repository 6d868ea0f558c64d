"""What charges of many cards share: who is told of a charge, what they answer, where it waits.

A charge's device, IP address and e-mail are asked side by side, while it is on its way to its
merchant: `scattering` at the card stage, `entity_stage` where the records are, `gathering` before
the merchant stage.
"""
