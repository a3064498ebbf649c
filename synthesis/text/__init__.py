"""From text to phoneme ids of the GPT-SoVITS symbol tables. Importing loads no dictionary and no model."""
