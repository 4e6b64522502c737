"""How the payload of a KHQR is made and read. `KHQR` is the way in; nothing here is part of the public interface.

- `_encoding.py` makes a payload from fields: `_creation.py` gives it a time, and `_alphabet.py` says which characters a
  field takes;
- `_reading.py` takes a payload apart and `_decoding.py` judges its fields; `_copying.py` finds what happened to a text
  on its way;
- both obey the rules in `_fields.py`, `_account.py`, `_additional_data.py` and `_timestamp.py`, which are made of the
  fields and templates of `_template.py`.
"""
