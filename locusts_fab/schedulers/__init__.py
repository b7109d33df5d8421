"""Who starts, stops and watches over managers: nobody but us, or a scheduler."""
