"""The command line's options: ``parser`` reads them, ``playing`` and ``program`` list them."""
